# SPDX-License-Identifier: Apache-2.0
"""Small models of transformers for sound as waves: name -> (preset, class, config's class, options
of the config, variables of the preset)."""

_SIZES = {
    "vocab_size": 40, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_labels": 40, "classifier_proj_size": 48,
}  # fmt: skip
_WAVES = {
    "conv_dim": [48, 48, 64], "conv_kernel": [10, 3, 2], "conv_stride": [5, 2, 2],
    "num_feat_extract_layers": 3, "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4, **_SIZES,
}  # fmt: skip
_QUANTIZER = {
    "codevector_dim": 32, "proj_codevector_dim": 48, "num_codevectors_per_group": 20,
    "num_codevector_groups": 2, **_WAVES,
}  # fmt: skip
_ADAPTERS = {"add_adapter": True, "num_adapter_layers": 2, "output_hidden_size": 96}
_SPEAKERS = {
    "tdnn_dim": [48, 64], "tdnn_kernel": [5, 1], "tdnn_dilation": [1, 1], "xvector_output_dim": 48,
    "use_weighted_layer_sum": True,
}  # fmt: skip
_SQUEEZED = {"squeeze_factor": 2, **_WAVES}
_MEL = {"feature_projection_input_dim": 40, "conv_depthwise_kernel_size": 5, **_SIZES}

MODELS = {
    "wav2vec2": (
        "wav2vec2", "Wav2Vec2ForPreTraining", "Wav2Vec2Config",
        {"conv_bias": True, "adapter_attn_dim": 16, "do_stable_layer_norm": True, **_QUANTIZER}, {},
    ),
    "wav2vec2-speakers": (
        "wav2vec2", "Wav2Vec2ForXVector", "Wav2Vec2Config", {**_SPEAKERS, **_WAVES}, {},
    ),
    "wav2vec2-letters": (
        "wav2vec2", "Wav2Vec2ForCTC", "Wav2Vec2Config", {**_ADAPTERS, **_WAVES}, {},
    ),
    "wav2vec2-conformer": (
        "wav2vec2", "Wav2Vec2ConformerForPreTraining", "Wav2Vec2ConformerConfig",
        {"initializer_range": 0.03, **_QUANTIZER}, {"initializer_range": 0.03},
    ),
    "wavlm": ("wavlm", "WavLMForCTC", "WavLMConfig", {**_ADAPTERS, **_WAVES}, {}),
    "wavlm-speakers": ("wavlm", "WavLMForXVector", "WavLMConfig", {**_SPEAKERS, **_WAVES}, {}),
    "unispeech": (
        "wavlm", "UniSpeechForPreTraining", "UniSpeechConfig",
        {"num_ctc_classes": 40, **_QUANTIZER}, {},
    ),
    "unispeech-sat": (
        "wavlm", "UniSpeechSatForPreTraining", "UniSpeechSatConfig",
        {"num_clusters": 20, **_QUANTIZER}, {},
    ),
    "data2vec-audio": (
        "wavlm", "Data2VecAudioForCTC", "Data2VecAudioConfig",
        {**_WAVES, **_ADAPTERS, "num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 7,
         "conv_bias": True}, {},
    ),
    "wav2vec2-bert": (
        "wavlm", "Wav2Vec2BertForSequenceClassification", "Wav2Vec2BertConfig",
        {"use_weighted_layer_sum": True, "position_embeddings_type": "relative", **_MEL}, {},
    ),
    "wav2vec2-bert-adapters": (
        "wavlm", "Wav2Vec2BertForCTC", "Wav2Vec2BertConfig",
        {"add_adapter": True, "use_intermediate_ffn_before_adapter": True, **_MEL}, {},
    ),
    "hubert": (
        "hubert", "HubertForSequenceClassification", "HubertConfig",
        {"use_weighted_layer_sum": True, "conv_bias": True, **_WAVES}, {},
    ),
    "sew": ("hubert", "SEWForCTC", "SEWConfig", {"conv_bias": True, **_SQUEEZED}, {}),
    "sew-d": (
        "hubert", "SEWDForSequenceClassification", "SEWDConfig",
        {"use_weighted_layer_sum": True, **_SQUEEZED}, {},
    ),
}  # fmt: skip
