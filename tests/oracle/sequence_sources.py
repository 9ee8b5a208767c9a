# SPDX-License-Identifier: Apache-2.0
"""Small models of transformers for text, with laws of their own: name -> (preset, class, config's
class, options of the config, variables of the preset)."""

_LLAMA = {
    "vocab_size": 500, "hidden_size": 96, "intermediate_size": 160, "num_hidden_layers": 2,
    "num_attention_heads": 6, "num_key_value_heads": 2,
}  # fmt: skip
_BERT = {
    "vocab_size": 500, "hidden_size": 96, "intermediate_size": 160, "num_hidden_layers": 3,
    "num_attention_heads": 4, "pad_token_id": 0,
}  # fmt: skip
_LABELS = {"num_labels": 40}
_MAMBA2 = {
    "vocab_size": 500, "hidden_size": 64, "num_hidden_layers": 3, "num_heads": 128, "head_dim": 4,
    "expand": 8, "state_size": 16, "n_groups": 2,
}  # fmt: skip
_JAMBA = {
    "num_experts": 4, "attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2,
    "expert_layer_offset": 1, "mamba_d_state": 8, "mamba_dt_rank": 12, **_LLAMA,
}  # fmt: skip
_PADDED = {"padding_rows": 1, "pad_token_id": 0}

MODELS = {
    "phimoe": (
        "mixtral", "PhimoeForCausalLM", "PhimoeConfig",
        {"num_local_experts": 4, "attention_bias": True, "lm_head_bias": True, **_LLAMA}, {},
    ),
    "granitemoe": (
        "mixtral", "GraniteMoeForCausalLM", "GraniteMoeConfig",
        {"num_local_experts": 4, **_LLAMA}, {},
    ),
    "modernbert": (
        "modernbert", "ModernBertForMaskedLM", "ModernBertConfig",
        {"tie_word_embeddings": False, **_BERT}, {},
    ),
    "modernbert-sequence": (
        "modernbert", "ModernBertForSequenceClassification", "ModernBertConfig",
        {"initializer_cutoff_factor": 1.0, **_LABELS, **_BERT}, {"initializer_cutoff_factor": 1},
    ),
    "mamba2": ("mamba2", "Mamba2ForCausalLM", "Mamba2Config", _MAMBA2, {}),
    "mamba2-rescaled": (
        "mamba2", "Mamba2ForCausalLM", "Mamba2Config",
        {"rescale_prenorm_residual": True, "use_bias": True, **_MAMBA2},
        {"residual_gain": "1 / sqrt(num_hidden_layers)"},
    ),
    "jamba": ("jamba", "JambaForCausalLM", "JambaConfig", _JAMBA, _PADDED),
}  # fmt: skip
