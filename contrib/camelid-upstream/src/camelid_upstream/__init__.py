"""Models that another server computes: vLLM, llama-server, another Camelid, whatever has OpenAI's completions.

`plugin` holds the hooks, `allowed` what the operator of this server lets it ask, `model_file` what a model's file says,
`backend` the model and its tokenizer, `engine` the generator, `completion` one request, `registry` the models that an
upstream has, found by `asking`.
"""
