"""Model files at plain web addresses.

`files` asks for them, `registry` hands them to the store, `plugin` holds the hook.
"""
