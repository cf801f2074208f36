"""The tutorial's handler: the whole picture decoded, bicubic to 150 × 150, divided by 255.

It also takes `image` (base64), so that no network is part of what is measured.
"""

import base64
import io
from urllib.request import urlopen

import numpy as np
from PIL import Image
from tflite_runtime.interpreter import Interpreter

LABELS = ["dress", "hat", "longsleeve", "outwear", "pants", "shirt", "shoes", "shorts", "skirt", "t-shirt"]

interpreter = Interpreter(model_path="model.tflite")
interpreter.allocate_tensors()
input_index = interpreter.get_input_details()[0]["index"]
output_index = interpreter.get_output_details()[0]["index"]


def lambda_handler(event, context):
    data = base64.b64decode(event["image"]) if "image" in event else urlopen(event["url"]).read()
    picture = Image.open(io.BytesIO(data)).convert("RGB").resize((150, 150), Image.BICUBIC)
    pixels = np.array(picture, dtype="float32")[np.newaxis] / 255
    interpreter.set_tensor(input_index, pixels)
    interpreter.invoke()
    scores = interpreter.get_tensor(output_index)[0].tolist()
    return dict(zip(LABELS, scores))  # noqa: B905
