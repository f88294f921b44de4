"""The recipe that tellapart replaces, for its time. In: class folders. Out: one JSON line. Next: against_keras.py.

Transfer learning as the Keras and TensorFlow tutorials teach it: a frozen MobileNetV2 at 160 px, flipped and rotated
pictures, batches of 32, Adam at 1e-4, ten epochs. The weights are left random, since they change the accuracy and
not the time; so the accuracy printed here says nothing. Runs in an environment of its own: see README.md.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

SIZE = 160  # pixels
BATCH = 32
SEED = 123


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a frozen MobileNetV2 on PICTURES, as the Keras tutorial does.")
    parser.add_argument("pictures", type=Path, metavar="PICTURES", help="a folder of class folders")
    parser.add_argument("--epochs", type=int, default=10)
    arguments = parser.parse_args()
    train, validation = read(arguments.pictures)
    network = build(len(train.class_names))
    started = time.perf_counter()
    prefetched = [split.prefetch(buffer_size=tf.data.AUTOTUNE) for split in (train, validation)]
    history = network.fit(prefetched[0], validation_data=prefetched[1], epochs=arguments.epochs, verbose=2)
    print(
        json.dumps(
            {
                "classes": train.class_names,
                "epochs": arguments.epochs,
                "fit_seconds": round(time.perf_counter() - started, 2),
                "n_train": len(train.file_paths),
                "n_validation": len(validation.file_paths),
                "final_loss": round(history.history["loss"][-1], 4),
                "tensorflow": tf.__version__,
                "keras": keras.__version__,
            }
        )
    )


def read(folder: Path) -> tuple[Any, Any]:
    """80 % of the pictures to train on and 20 % to validate on, in batches."""
    train, validation = keras.utils.image_dataset_from_directory(
        folder, validation_split=0.2, subset="both", seed=SEED, image_size=(SIZE, SIZE), batch_size=BATCH
    )
    return train, validation


def build(classes: int) -> Any:
    """The frozen network with a new head: one output for two classes, else one for each class."""
    frozen = keras.applications.MobileNetV2(input_shape=(SIZE, SIZE, 3), include_top=False, weights=None)
    frozen.trainable = False
    pictures = keras.Input(shape=(SIZE, SIZE, 3))
    augmented = keras.layers.RandomRotation(0.2)(keras.layers.RandomFlip("horizontal")(pictures))
    scaled = keras.applications.mobilenet_v2.preprocess_input(augmented)
    pooled = keras.layers.GlobalAveragePooling2D()(frozen(scaled, training=False))
    dropped = keras.layers.Dropout(0.2)(pooled)
    if classes == 2:
        answer, loss = keras.layers.Dense(1, activation="sigmoid")(dropped), "binary_crossentropy"
    else:
        answer, loss = keras.layers.Dense(classes, activation="softmax")(dropped), "sparse_categorical_crossentropy"
    network = keras.Model(pictures, answer)
    network.compile(optimizer=keras.optimizers.Adam(learning_rate=1e-4), loss=loss, metrics=["accuracy"])
    return network


if __name__ == "__main__":
    main()
