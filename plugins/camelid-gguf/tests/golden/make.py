"""Makes the files beside it: what transformers, tokenizers and sentencepiece answer. The tests need none of them.

In an environment of its own: `pip install torch transformers tokenizers sentencepiece`, then
`python make.py` in this folder. Each model's weights follow from the names of its tensors.
"""

import json
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
TOKENS = [5, 17, 40, 33, 34, 9, 20, 57, 50, 3, 47, 19]


def weights(name: str, shape: Sequence[int]) -> np.ndarray:
    """The tensor of that name: numbers that look random and are the same everywhere."""
    count = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(zlib.crc32(name.encode()) << 20)
    count = (count ^ (count >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    count = (count ^ (count >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    uniform = (count >> np.uint64(40)).astype(np.float64) / 2**24 - 0.5
    return (uniform * (0.8 if len(shape) > 1 else 0.6)).astype(np.float32).reshape(shape)


def sizes(**more: object) -> dict[str, Any]:
    """What all the tiny models share."""
    return {
        "vocab_size": 64,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": None,
        **more,
    }


def models() -> dict[str, Callable[[], Any]]:
    """A way to make each model."""
    import transformers as t

    yarn = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 64}
    llama3 = {
        "rope_type": "llama3",
        "rope_theta": 10000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    }
    long = {
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "short_factor": [1.0, 1.1, 1.2, 1.3],
        "long_factor": [2.0, 3.0, 4.0, 5.0],
        "original_max_position_embeddings": 8,
    }
    ministral = {
        **yarn,
        "original_max_position_embeddings": 8,
        "beta_fast": 32.0,
        "beta_slow": 1.0,
        "mscale": 1.0,
        "mscale_all_dim": 1.0,
        "llama_4_scaling_beta": 0.3,
    }
    gemma = {"head_dim": 16, "sliding_window": 4, "query_pre_attn_scalar": 16}
    experts = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
    bert = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    bert |= {"num_attention_heads": 4, "max_position_embeddings": 64}
    siglip = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    siglip |= {"image_size": 28, "patch_size": 14}
    pictures = {"mm_tokens_per_image": 4, "image_token_index": 63, "boi_token_index": 61, "eoi_token_index": 62}
    turned = {
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    }
    kinds = {"layer_types": ["full_attention", "sliding_attention"], "rope_parameters": turned}

    return {
        "llama": lambda: t.LlamaForCausalLM(t.LlamaConfig(**sizes())),
        "llama-tied-biased": lambda: t.LlamaForCausalLM(
            t.LlamaConfig(**sizes(tie_word_embeddings=True, attention_bias=True, mlp_bias=True))
        ),
        "llama-3.1": lambda: t.LlamaForCausalLM(t.LlamaConfig(**sizes(rope_parameters=llama3, head_dim=16))),
        "llama-yarn": lambda: t.LlamaForCausalLM(
            t.LlamaConfig(**sizes(rope_parameters={**yarn, "attention_factor": 1.3}))
        ),
        "mistral": lambda: t.MistralForCausalLM(t.MistralConfig(**sizes(head_dim=16, sliding_window=None))),
        "mixtral": lambda: t.MixtralForCausalLM(
            t.MixtralConfig(**sizes(num_local_experts=4, num_experts_per_tok=2, sliding_window=None))
        ),
        "ministral-3": lambda: t.Ministral3ForCausalLM(
            t.Ministral3Config(**sizes(head_dim=8, rope_parameters=ministral))
        ),
        "mistral-3": lambda: t.Mistral3ForConditionalGeneration(
            t.Mistral3Config(
                text_config=t.MistralConfig(**sizes(head_dim=8, sliding_window=None)),
                vision_config=t.PixtralVisionConfig(**siglip, head_dim=16),
                image_token_index=10,
            )
        ),
        "qwen-2": lambda: t.Qwen2ForCausalLM(t.Qwen2Config(**sizes())),
        "qwen-2-moe": lambda: t.Qwen2MoeForCausalLM(
            t.Qwen2MoeConfig(**sizes(**experts, shared_expert_intermediate_size=64, norm_topk_prob=False))
        ),
        "qwen-3": lambda: t.Qwen3ForCausalLM(t.Qwen3Config(**sizes(head_dim=16, tie_word_embeddings=True))),
        "qwen-3-moe": lambda: t.Qwen3MoeForCausalLM(
            t.Qwen3MoeConfig(**sizes(**experts, head_dim=16, norm_topk_prob=True))
        ),
        "gemma": lambda: t.GemmaForCausalLM(t.GemmaConfig(**sizes(head_dim=16))),
        "gemma-2": lambda: t.Gemma2ForCausalLM(t.Gemma2Config(**sizes(**gemma))),
        "gemma-3": lambda: t.Gemma3ForCausalLM(t.Gemma3TextConfig(**sizes(**gemma, **kinds))),
        "gemma-3-vision": lambda: t.Gemma3ForConditionalGeneration(
            t.Gemma3Config(
                text_config=t.Gemma3TextConfig(**sizes(**gemma) | {"num_hidden_layers": 6}),
                vision_config=t.SiglipVisionConfig(**siglip),
                **pictures,
            )
        ),
        "embedding-gemma": lambda: t.Gemma3TextModel(
            t.Gemma3TextConfig(
                **sizes(**gemma) | {"sliding_window": 512, "use_bidirectional_attention": True, "num_hidden_layers": 6}
            )
        ),
        "phi-3": lambda: t.Phi3ForCausalLM(
            t.Phi3Config(**sizes(original_max_position_embeddings=256, sliding_window=None))
        ),
        "phi-3-long": lambda: t.Phi3ForCausalLM(
            t.Phi3Config(**sizes(original_max_position_embeddings=8, sliding_window=None, rope_parameters=long))
        ),
        "bert": lambda: t.BertModel(t.BertConfig(**bert)),
        "nomic-bert": lambda: t.NomicBertModel(t.NomicBertConfig(**bert)),
    }


def make_family(name: str, make: Callable[[], Any], work: Path) -> None:
    """Write one family's file: configuration, tensors as they are saved, and a few numbers of the answer."""
    import torch
    from safetensors import safe_open
    from safetensors.numpy import save_file

    folder = work / name
    make().save_pretrained(folder)
    with safe_open(folder / "model.safetensors", "np") as file:
        shapes = {key: list(file.get_slice(key).get_shape()) for key in sorted(file.keys())}
    save_file(
        {key: weights(key, shape) for key, shape in shapes.items()}, folder / "model.safetensors", {"format": "pt"}
    )
    model = type(make()).from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        answer = model(input_ids=torch.tensor([TOKENS]))
    rows = (answer.logits if hasattr(answer, "logits") else answer.last_hidden_state)[0].numpy()
    pictures = ("vision", "multi_modal")
    (HERE / "families" / f"{name}.json").write_text(
        json.dumps(
            {
                "config": json.loads((folder / "config.json").read_text()),
                "tensors": {key: shape for key, shape in shapes.items() if not any(word in key for word in pictures)},
                "tokens": TOKENS,
                "kind": "logits" if hasattr(answer, "logits") else "vectors",
                "expected": [[round(float(number), 5) for number in row[:6]] for row in rows],
            },
            separators=(",", ":"),
        ).replace('"tokens"', '\n"tokens"')
        + "\n"
    )


TEXTS = [
    "Hello world",
    "The quick brown fox   jumps\n\nover 12345 dogs!!! I'VE it's",
    "naïve café 東京 🦙🦙 x_y",
    "  lead and trail  ",
    "<|eot|>a<|eot|> b",
    "tabs\t\tand\r\nlines \n \n x",
    "don't 'RE 3.14159 ... 1000000",
    "zebra<extra> word <extra>x",
    "Ürün XMLHttpRequest HELLO'll iPhone a/b //\n/ we'll",
    "हिन्दी में e\u0301te\u0301 of",
]
CORPUS = "Hello world, the quick brown fox 123 1234 it's I'VE naïve café !!! ... \n\n words  and\tmore\r\n zebra 31415"
CORPUS += " XMLHttp"
CORPUS += " हिन्दी में हिन्दी e\u0301te\u0301 //\n/ iPhone we'll"


def make_tokenizers() -> None:
    """Write what each way of splitting text does to the same vocabulary, whose merges ignore all of them."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    english, tail = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)", r"\s*[\r\n]+|\s+(?!\S)|\s+"
    upper = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    lower = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    punctuation = r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
    patterns = {
        "llama-bpe": [english + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + tail],
        "qwen2": [english + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + tail],
        "qwen35": [
            english + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|" + tail,
        ],
        "tekken": [upper + "|" + lower + r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + tail],
        "gpt-4o": [
            f"{upper}{english}?|{lower}{english}?" + r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + tail,
        ],
        "deepseek-v3": [
            r"\p{N}{1,3}",
            "[一-龥\u3040-ゟ゠-ヿ]+",
            punctuation + r"| ?[\p{P}\p{S}]+[" + "\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
        ],
    }
    patterns["dbrx"] = patterns["llama-bpe"]

    def splits(found: list[str]) -> Any:
        steps = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in found]
        return pre_tokenizers.Sequence([*steps, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])

    ways = {name: splits(found) for name, found in patterns.items()}
    ways["gpt-2"] = pre_tokenizers.ByteLevel(add_prefix_space=False)
    ways["smollm"] = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    base = Tokenizer(models.BPE())
    base.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    base.decoder = decoders.ByteLevel()
    base.train_from_iterator(
        [CORPUS[start : start + 9] for start in range(0, len(CORPUS), 2)] * 3,
        trainers.BpeTrainer(
            vocab_size=396,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            special_tokens=["<|bos|>", "<|eot|>"],
            show_progress=False,
        ),
    )
    base.add_tokens([AddedToken("<extra>", normalized=False, special=False)])
    shared = json.loads(base.to_str())
    cases = {}
    for name, way in ways.items():
        tokenizer = Tokenizer.from_str(json.dumps(shared))
        tokenizer.pre_tokenizer = way
        whole = name in {"llama-bpe", "tekken"}
        tokenizer.model.ignore_merges = whole
        if whole:
            tokenizer.post_processor = processors.TemplateProcessing(
                single="<|bos|> $A", pair="<|bos|> $A <|bos|> $B", special_tokens=[("<|bos|>", 0)]
            )
        saved = json.loads(tokenizer.to_str())
        cases[name] = {
            "pre_tokenizer": saved["pre_tokenizer"],
            "post_processor": saved["post_processor"],
            "ignore_merges": whole,
            "expected": [tokenizer.encode(text).ids for text in TEXTS],
        }
    (HERE / "byte_level.json").write_text(
        json.dumps({"tokenizer": shared, "texts": TEXTS, "cases": cases}, separators=(",", ":")) + "\n"
    )


def make_sentencepiece(work: Path) -> None:
    """Write SentencePiece's models and answers; of BPE also what transformers makes of it."""
    import sentencepiece
    from tokenizers import Tokenizer, models

    corpus = work / "corpus.txt"
    texts = [text for text in TEXTS if "<" not in text]
    corpus.write_text("\n".join([CORPUS.replace("\r", "").replace("\n", " ")] * 20 + texts[:2] * 5))
    cases = {}
    for kind, more in {
        "bpe": {"vocab_size": 340, "byte_fallback": True, "normalization_rule_name": "identity"},
        "unigram": {"vocab_size": 70, "normalization_rule_name": "identity"},
    }.items():
        sentencepiece.SentencePieceTrainer.train(
            input=str(corpus),
            model_prefix=str(work / kind),
            model_type=kind,
            hard_vocab_limit=False,
            user_defined_symbols=["<extra>"],
            remove_extra_whitespaces=kind == "unigram",
            minloglevel=2,
            **more,
        )
        data = (work / f"{kind}.model").read_bytes()
        model = sentencepiece.SentencePieceProcessor(model_proto=data)
        cases[kind] = {"model": data.hex(), "texts": texts, "expected": [[1, *model.encode(text)] for text in texts]}
        pieces = {model.id_to_piece(number): number for number in range(len(model))}
        if kind == "bpe":
            merges = sorted(
                (
                    (-model.get_score(number), pieces[text[:at]], pieces[text[at:]], text[:at], text[at:])
                    for text, number in pieces.items()
                    for at in range(1, len(text))
                    if model.get_score(number) < 0 and text[:at] in pieces and text[at:] in pieces
                ),
            )
            made = models.BPE(
                pieces, [(left, right) for *_, left, right in merges], unk_token="<unk>", byte_fallback=True
            )
        else:
            scored = [(text, model.get_score(number)) for text, number in pieces.items()]
            made = models.Unigram(scored, 0)
        cases[kind]["tokenizer_model"] = json.loads(Tokenizer(made).to_str())["model"]
    (HERE / "sentencepiece.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")


def main() -> None:
    """Make everything."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as work:
        for name, make in models().items():
            make_family(name, make, Path(work))
        make_tokenizers()
        make_sentencepiece(Path(work))


if __name__ == "__main__":
    main()
