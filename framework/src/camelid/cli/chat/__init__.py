"""The interactive chat of `camelid run`: session, slash commands, line editing, history."""
