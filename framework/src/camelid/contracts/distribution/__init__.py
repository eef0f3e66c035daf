"""What registries are made of that speak the distribution protocol, as Docker's, OCI's and Ollama's do.

A plugin derives its `registry` from the one here. `client` sends requests, with the `authorization` of its plugin;
`answers` says what is wrong with what comes back; `manifests` say which blobs a model is made of; `blobs` reads parts
of them, `uploads` begins to send them; `tokens` is what registries want, and where they say it is.
"""
