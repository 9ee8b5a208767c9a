# SPDX-License-Identifier: Apache-2.0
"""Small models of transformers for images: name -> (preset, class, config's class, options of the
config, variables of the preset)."""

_SIZES = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
          "num_attention_heads": 4}  # fmt: skip
_VIT = {"image_size": 32, "patch_size": 8, **_SIZES}
_SWIN = {"embed_dim": 32, "depths": [1, 2], "num_heads": [2, 4], "image_size": 32,
         "window_size": 4, "patch_size": 2}  # fmt: skip
_LABELS = {"num_labels": 40}
_TEXT = {"vocab_size": 500, **_SIZES}

MODELS = {
    "deit": (
        "deit", "DeiTForImageClassificationWithTeacher", "DeiTConfig", {**_LABELS, **_VIT}, {},
    ),
    "beit": (
        "deit", "BeitForImageClassification", "BeitConfig",
        {"use_mask_token": True, "use_relative_position_bias": True, **_LABELS,
         "use_absolute_position_embeddings": True, "layer_scale_init_value": 1e-5, **_VIT},
        {"layer_scale_init_value": 1e-5},
    ),
    "beit-masked": (
        "deit", "BeitForMaskedImageModeling", "BeitConfig",
        {"vocab_size": 500, "use_shared_relative_position_bias": True, **_VIT}, {},
    ),
    "data2vec-vision": (
        "deit", "Data2VecVisionForImageClassification", "Data2VecVisionConfig",
        {"use_relative_position_bias": True, **_LABELS, **_VIT}, {},
    ),
    "swin": (
        "deit", "SwinForImageClassification", "SwinConfig",
        {"use_absolute_embeddings": True, **_LABELS, **_SWIN}, {},
    ),
    "swinv2": (
        "deit", "Swinv2ForImageClassification", "Swinv2Config", {**_LABELS, **_SWIN}, {},
    ),
    "dinov2": (
        "dinov2", "Dinov2ForImageClassification", "Dinov2Config", {**_LABELS, **_VIT}, {},
    ),
    "dinov2-gated": (
        "dinov2", "Dinov2Model", "Dinov2Config",
        {"use_swiglu_ffn": True, "layerscale_value": 1e-5, **_VIT}, {"layerscale_value": 1e-5},
    ),
    "dinov2-registers": (
        "dinov2", "Dinov2WithRegistersForImageClassification", "Dinov2WithRegistersConfig",
        {**_LABELS, **_VIT}, {},
    ),
    "dinov3": (
        "dinov3", "DINOv3ViTModel", "DINOv3ViTConfig", {"num_register_tokens": 4, **_VIT}, {},
    ),
    "siglip": (
        "siglip", "SiglipModel", "SiglipConfig", {"text_config": _TEXT, "vision_config": _VIT}, {},
    ),
    "siglip-images": (
        "siglip", "SiglipForImageClassification", "SiglipConfig",
        {"text_config": _TEXT, "vision_config": _VIT, **_LABELS}, {},
    ),
    "siglip2": (
        "siglip", "Siglip2Model", "Siglip2Config",
        {"text_config": _TEXT,
         "vision_config": {"num_patches": 16, "patch_size": 8, **_SIZES}}, {},
    ),
}  # fmt: skip
