"""Models of the Hugging Face Hub, for Camelid.

`registry` is the registry; `hub` speaks to the Hub, `repository` is what it says of a repository, `weights` chooses
among the files by `quantization`, `companions` makes layers of what lies beside them, `plugin` holds the hook.
"""
