"""A model that came with a smaller one for its drafts: the answers are those it gives alone."""


def test_a_draft_model_changes_no_answer(server):
    (model,) = server.http.get("/api/tags").json()["models"]
    blob = next(
        line.split()[-1]
        for line in server.post("/api/show", model=model["name"]).json()["modelfile"].splitlines()
        if line.startswith("FROM")
    )
    digest = "sha256:" + blob.rpartition("sha256-")[2]
    made = server.post(
        "/api/create", model="drafted", stream=False, draft_files={"draft.gguf": digest}, **{"from": model["name"]}
    )
    assert made.json() == {"status": "success"}, made.text
    ask = {
        "prompt": "Count: one, two, three, four, five, six, seven,",
        "raw": True,
        "stream": False,
        "options": {"temperature": 0, "num_predict": 24},
    }
    answers = [server.post("/api/generate", model=name, **ask).json() for name in (model["name"], "drafted")]
    assert answers[0]["response"] == answers[1]["response"]
    assert answers[0]["eval_count"] == answers[1]["eval_count"] == 24
    ask["options"]["draft_num_predict"] = 0
    plain = server.post("/api/generate", model="drafted", **ask).json()
    assert plain["response"] == answers[0]["response"]
