# SPDX-License-Identifier: Apache-2.0
"""Small models of transformers with several parts: name -> (preset, class, config's class, options
of the config, variables of the preset). The parts' stddevs differ, so that none is another's."""

_TEXT = {
    "vocab_size": 500, "hidden_size": 96, "intermediate_size": 160, "num_hidden_layers": 2,
    "num_attention_heads": 6, "num_key_value_heads": 2, "initializer_range": 0.05,
}  # fmt: skip
_VISION = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4,
    "image_size": 32, "patch_size": 8,
}  # fmt: skip
_ROPE = {"rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3]}}
_DELTA = {
    "vocab_size": 500, "hidden_size": 96, "num_hidden_layers": 2, "num_attention_heads": 6,
    "num_key_value_heads": 2, "head_dim": 24, "layer_types": ["linear_attention", "full_attention"],
    "linear_num_value_heads": 64, "linear_num_key_heads": 16, "linear_key_head_dim": 8,
    "linear_value_head_dim": 4, "initializer_range": 0.05,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.25,
                        "mrope_section": [1, 1, 1]},
}  # fmt: skip
_SEES = {
    "depth": 2, "hidden_size": 64, "intermediate_size": 96, "num_heads": 4, "out_hidden_size": 96,
    "num_position_embeddings": 64, "patch_size": 8, "initializer_range": 0.1,
}  # fmt: skip
_QWEN = {"depth": 2, "num_heads": 4, "patch_size": 8, "initializer_range": 0.1}
_TWO = {"text_initializer_range": 0.05, "vision_initializer_range": 0.1}

MODELS = {
    "qwen2-vl": (
        "qwen-vl", "Qwen2VLForConditionalGeneration", "Qwen2VLConfig",
        {"text_config": {**_ROPE, **_TEXT},
         "vision_config": {"embed_dim": 64, "hidden_size": 96, **_QWEN}}, _TWO,
    ),
    "qwen2.5-vl": (
        "qwen-vl", "Qwen2_5_VLForConditionalGeneration", "Qwen2_5_VLConfig",
        {"text_config": {**_ROPE, **_TEXT},
         "vision_config": {"hidden_size": 64, "out_hidden_size": 96, "intermediate_size": 128,
                           **_QWEN}}, _TWO,
    ),
    "qwen3.5": (
        "qwen3-next-vl", "Qwen3_5ForConditionalGeneration", "Qwen3_5Config",
        {"text_config": {"intermediate_size": 160, **_DELTA}, "vision_config": _SEES}, _TWO,
    ),
    "qwen3.5-moe": (
        "qwen3-next-vl", "Qwen3_5MoeForConditionalGeneration", "Qwen3_5MoeConfig",
        {"text_config": {"moe_intermediate_size": 48, "num_experts_per_tok": 2, "num_experts": 4,
                         "shared_expert_intermediate_size": 64, **_DELTA},
         "vision_config": _SEES}, _TWO,
    ),
    "llava": (
        "llava", "LlavaForConditionalGeneration", "LlavaConfig",
        {"text_config": {"model_type": "llama", **_TEXT}, "image_seq_length": 16,
         "vision_config": {"model_type": "clip_vision_model", "initializer_range": 0.1,
                           "initializer_factor": 0.5, **_VISION}},
        {**_TWO, "vision_initializer_factor": 0.5},
    ),
    "gemma3-images": (
        "gemma3", "Gemma3ForConditionalGeneration", "Gemma3Config",
        {"text_config": {"head_dim": 24, **_TEXT, "layer_types": ["full_attention"] * 2},
         "vision_config": _VISION, "mm_tokens_per_image": 4, "tie_word_embeddings": False},
        {"text_initializer_range": 0.05},
    ),
}  # fmt: skip
