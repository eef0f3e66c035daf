"""OCI registries as a source and a destination of models, for Camelid.

`registry` is the registry; `references` says where a name is asked for, `authorization` who asks, by what Docker
remembers of logins (`logins`); `artifacts` are models as such registries have them, and those of others (`layers`);
`plugin` holds the hook.
"""

__all__ = ()
