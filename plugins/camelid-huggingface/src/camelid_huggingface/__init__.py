"""Models of the Hugging Face Hub, for Camelid.

`registry` is the registry; `hub` asks the Hub, by the requests of `session`; `repository` is what it says of a
repository, `weights` chooses among the files by `quantization`, `companions` makes layers of what lies beside them,
`refusals` says what its refusals mean, `plugin` holds the hook.
"""
