# SPDX-License-Identifier: Apache-2.0
"""Small models of transformers whose layers are of attention and of state spaces or delta rules:
name -> (preset, class, config's class, options of the config, variables of the preset)."""

_SIZES = {
    "vocab_size": 500, "hidden_size": 96, "num_hidden_layers": 2, "num_attention_heads": 6,
    "num_key_value_heads": 2,
}  # fmt: skip
_DENSE = {"intermediate_size": 160, **_SIZES}
_EXPERTS = {"moe_intermediate_size": 48, "num_experts_per_tok": 2}
_SHARED = {"num_experts": 4, "shared_expert_intermediate_size": 64, **_EXPERTS}
_TYPES = {"layer_types": ["linear_attention", "full_attention"]}
_DELTA = {
    "linear_num_value_heads": 64, "linear_num_key_heads": 16, "linear_key_head_dim": 8,
    "linear_value_head_dim": 4, "head_dim": 24, **_TYPES,
}  # fmt: skip
_LATENT = {
    "num_key_value_heads": 6, "kv_lora_rank": 32, "qk_rope_head_dim": 16, "qk_nope_head_dim": 16,
    "v_head_dim": 16, "num_local_experts": 4, "pad_token_id": None, **_EXPERTS, **_TYPES,
}  # fmt: skip
_MAMBA = {
    "mamba_n_heads": 64, "mamba_d_head": 3, "mamba_expand": 2, "mamba_d_state": 16,
    "mamba_n_groups": 1,
}  # fmt: skip
_PADDED = {"padding_rows": 1, "pad_token_id": 0}

MODELS = {
    "qwen3-next": (
        "qwen3-next", "Qwen3NextForCausalLM", "Qwen3NextConfig",
        {"pad_token_id": 7, **_SHARED, **_DELTA, **_DENSE}, {**_PADDED, "pad_token_id": 7},
    ),
    "qwen3-next-dense": (
        "qwen3-next", "Qwen3NextForTokenClassification", "Qwen3NextConfig",
        {"mlp_only_layers": [0, 1], "attention_bias": True, "num_labels": 40,
         **_SHARED, **_DELTA, **_DENSE}, {},
    ),
    "qwen3.5-text": (
        "qwen3-next", "Qwen3_5ForCausalLM", "Qwen3_5TextConfig", {**_DELTA, **_DENSE}, {},
    ),
    "qwen3.5-moe-text": (
        "qwen3-next", "Qwen3_5MoeForCausalLM", "Qwen3_5MoeTextConfig",
        {**_SHARED, **_DELTA, **_SIZES}, {},
    ),
    "kimi-linear": (
        "kimi-linear", "KimiLinearForCausalLM", "KimiLinearConfig",
        {**_DENSE, "linear_num_heads": 64, "linear_head_dim": 8,
         "mlp_layer_types": ["dense", "sparse"], **_LATENT}, {},
    ),
    "bailing-hybrid": (
        "kimi-linear", "BailingHybridForCausalLM", "BailingHybridConfig",
        {**_DENSE, "num_attention_heads": 32, "head_dim": 8, "n_group": 1, "topk_group": 1,
         "first_k_dense_replace": 1, "eos_token_id": None, **_LATENT}, {},
    ),
    "olmo-hybrid": (
        "olmo-hybrid", "OlmoHybridForCausalLM", "OlmoHybridConfig",
        {"pad_token_id": None, **_DELTA, "linear_num_key_heads": 64, **_DENSE}, {},
    ),
    "olmo-hybrid-ranges": (
        "olmo-hybrid", "OlmoHybridForCausalLM", "OlmoHybridConfig",
        {"pad_token_id": 0, "attention_bias": True, "linear_a_log_min": 1.0,
         "linear_a_log_max": 8.0, "linear_dt_min": 0.01, "linear_dt_max": 0.5, **_DELTA,
         "linear_num_key_heads": 64, **_DENSE},
        {**_PADDED, "linear_a_log_min": 1, "linear_a_log_max": 8, "linear_dt_min": 0.01,
         "linear_dt_max": 0.5},
    ),
    "bamba": (
        "bamba", "BambaForCausalLM", "BambaConfig",
        {"attn_layer_indices": [1], "attention_bias": True, "mlp_bias": True, **_MAMBA, **_DENSE},
        _PADDED,
    ),
    "falcon-h1": (
        "bamba", "FalconH1ForCausalLM", "FalconH1Config",
        {"head_dim": 16, "mamba_d_ssm": 192, "mamba_rms_norm": True, **_MAMBA, **_DENSE}, _PADDED,
    ),
    "granite-hybrid": (
        "bamba", "GraniteMoeHybridForCausalLM", "GraniteMoeHybridConfig",
        {"layer_types": ["mamba", "attention"], "num_local_experts": 4, "num_experts_per_tok": 2,
         "shared_intermediate_size": 64, **_MAMBA, **_DENSE}, {},
    ),
    "granite-hybrid-dense": (
        "bamba", "GraniteMoeHybridForCausalLM", "GraniteMoeHybridConfig",
        {"layer_types": ["mamba", "attention"], "num_local_experts": 0,
         "shared_intermediate_size": 64, **_MAMBA, **_DENSE}, {},
    ),
    "nemotron-h": (
        "nemotron-h", "NemotronHForCausalLM", "NemotronHConfig",
        {**{key: value for key, value in _DENSE.items() if key != "num_hidden_layers"},
         "layers_block_type": ["mamba", "attention", "moe", "mlp", "mamba"], "head_dim": 16,
         "mamba_num_heads": 128, "mamba_head_dim": 3, "ssm_state_size": 16, "n_groups": 2,
         "n_routed_experts": 4, "n_group": 1, "topk_group": 1, "use_bias": True,
         "moe_shared_expert_intermediate_size": 48, **_EXPERTS}, {},
    ),
    "zamba": (
        "zamba", "ZambaForCausalLM", "ZambaConfig",
        {"vocab_size": 500, "hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4,
         "num_key_value_heads": 4, "n_mamba_heads": 2, "mamba_d_state": 8, "mamba_expand": 8,
         "mamba_dt_rank": 12, "num_hidden_layers": 9}, _PADDED,
    ),
    "zamba2": (
        "zamba", "Zamba2ForCausalLM", "Zamba2Config",
        {**_DENSE, "num_key_value_heads": 6, "n_mamba_heads": 64, "mamba_headdim": 3,
         "mamba_expand": 2, "mamba_d_state": 16, "mamba_ngroups": 1, "num_hidden_layers": 4,
         "layers_block_type": ["mamba", "hybrid"] * 2, "num_mem_blocks": 2,
         "use_shared_attention_adapter": True, "add_bias_linear": True}, _PADDED,
    ),
}  # fmt: skip
