# SPDX-License-Identifier: Apache-2.0
"""Two CPUs under MirroredStrategy; run by test_tensorflow_init.py in a process of its own, since
devices are configured before TensorFlow runs. Prints how many replicas hold NumPy's bytes."""

import tensorflow as tf

import glorot
import glorot.tensorflow


def main():
    """A variable that a creator fills as it is made, and one that is filled after."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    creator = glorot.tensorflow.variable_creator("he_normal", seed=42)
    with strategy.scope():
        with tf.variable_creator_scope(creator):
            made = tf.Variable(tf.zeros((4, 3)), name="made")
        filled = tf.Variable(tf.zeros((4, 3)), name="filled")
    glorot.tensorflow.init([filled], "he_normal", seed=42)
    for variable in (made, filled):
        name = variable.name.partition(":")[0]
        wanted = glorot.HeNormal()((4, 3), seed=42, name=name)
        print(name, [bool((value.numpy() == wanted).all()) for value in variable.values])


if __name__ == "__main__":
    main()
