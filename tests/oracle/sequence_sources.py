# SPDX-License-Identifier: Apache-2.0
"""Small models of transformers for text and speech, with laws of their own: name -> (preset, class,
config's class, options of the config, variables of the preset)."""

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
_SEQ2SEQ = {
    "vocab_size": 500, "d_model": 96, "encoder_layers": 2, "decoder_layers": 2,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 160,
    "decoder_ffn_dim": 160,
}  # fmt: skip
_POSITIONS = {"max_position_embeddings": 60, **_SEQ2SEQ}
_WHISPER = {
    "max_source_positions": 300, "max_target_positions": 60, "pad_token_id": 3, "bos_token_id": 1,
    "eos_token_id": 2, "decoder_start_token_id": 4, "begin_suppress_tokens": None, **_SEQ2SEQ,
}  # fmt: skip
_XLM = {
    "vocab_size": 500, "emb_dim": 96, "n_layers": 2, "n_heads": 4, "max_position_embeddings": 60,
    "n_langs": 5,
}  # fmt: skip
_SERIES = {
    "prediction_length": 12, "context_length": 24, "num_time_features": 2, "cardinality": [40],
    "num_static_categorical_features": 1, "embedding_dimension": [16],
    **{key: value for key, value in _SEQ2SEQ.items() if key != "vocab_size"},
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
    "roformer": (
        "roformer", "RoFormerForMaskedLM", "RoFormerConfig",
        {"embedding_size": 64, "max_position_embeddings": 60, "tie_word_embeddings": False,
         **_BERT}, {},
    ),
    "roformer-sequence": (
        "roformer", "RoFormerForSequenceClassification", "RoFormerConfig",
        {"embedding_size": 96, "max_position_embeddings": 60, **_LABELS, **_BERT}, {},
    ),
    "pegasus": ("pegasus", "PegasusForConditionalGeneration", "PegasusConfig", _POSITIONS, {}),
    "marian": (
        "pegasus", "MarianMTModel", "MarianConfig",
        {"pad_token_id": 499, "decoder_start_token_id": 499, **_POSITIONS}, {"pad_token_id": 499},
    ),
    "marian-two": (
        "pegasus", "MarianMTModel", "MarianConfig",
        {"pad_token_id": 3, "decoder_start_token_id": 3, "decoder_vocab_size": 400,
         "share_encoder_decoder_embeddings": False, "tie_word_embeddings": False, **_POSITIONS},
        {"pad_token_id": 3},
    ),
    "whisper": (
        "whisper", "WhisperForConditionalGeneration", "WhisperConfig", _WHISPER, {"pad_token_id": 3}
    ),
    "whisper-audio": (
        "whisper", "WhisperForAudioClassification", "WhisperConfig",
        {"use_weighted_layer_sum": True, "init_std": 0.03, **_LABELS, **_WHISPER},
        {"init_std": 0.03},
    ),
    "fsmt": (
        "fsmt", "FSMTForConditionalGeneration", "FSMTConfig",
        {"langs": ["en", "de"], "src_vocab_size": 500, "tgt_vocab_size": 400,
         **{key: value for key, value in _POSITIONS.items() if key != "vocab_size"}}, {},
    ),
    "fsmt-padding": (
        "fsmt", "FSMTForConditionalGeneration", "FSMTConfig",
        {"langs": ["en", "de"], "src_vocab_size": 500, "tgt_vocab_size": 400, "pad_token_id": 4,
         "init_std": 0.03,
         **{key: value for key, value in _POSITIONS.items() if key != "vocab_size"}},
        {"pad_token_id": 4, "init_std": 0.03},
    ),
    "xlm": ("xlm", "XLMWithLMHeadModel", "XLMConfig", _XLM, {}),
    "xlm-sinusoids": (
        "xlm", "XLMForSequenceClassification", "XLMConfig",
        {"sinusoidal_embeddings": True, "embed_init_std": 0.05, "pad_token_id": 3, **_LABELS,
         **_XLM},
        {"sinusoidal_embeddings": 1, "embed_init_std": 0.05, "pad_token_id": 3},
    ),
    "flaubert": ("xlm", "FlaubertForQuestionAnswering", "FlaubertConfig", _XLM, {}),
    "time-series": (
        "time-series", "TimeSeriesTransformerForPrediction", "TimeSeriesTransformerConfig",
        {"init_std": 0.03, **_SERIES}, {"init_std": 0.03},
    ),
    "informer": (
        "time-series", "InformerForPrediction", "InformerConfig",
        {**_SERIES, "d_model": 65, "encoder_attention_heads": 5, "decoder_attention_heads": 5}, {},
    ),
    "autoformer": ("time-series", "AutoformerForPrediction", "AutoformerConfig", _SERIES, {}),
    "jamba": ("jamba", "JambaForCausalLM", "JambaConfig", _JAMBA, _PADDED),
}  # fmt: skip
