# SPDX-License-Identifier: Apache-2.0
"""Two CPUs under MirroredStrategy; run by test_tensorflow_init_creators.py in a process of its own,
since devices are configured before TensorFlow runs. Prints how many replicas hold NumPy's bytes,
and where a value lies that is made on the second."""

import tensorflow as tf

import glorot
import glorot.tensorflow


def main():
    """A variable that a creator fills as it is made, one that is filled after, and a tensor."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    creator = glorot.tensorflow.variable_creator("he_normal", seed=42)
    with strategy.scope():
        with tf.variable_creator_scope(creator):
            made = tf.Variable(tf.zeros((4, 3)), name="made")
        filled = tf.Variable(tf.zeros((4, 3)), name="filled")
    outside = glorot.tensorflow.variable_creator("he_normal", seed=42)
    with tf.variable_creator_scope(outside), strategy.scope():  # in the other order
        turned = tf.Variable(tf.zeros((4, 3)), name="turned")
    glorot.tensorflow.init([filled], "he_normal", seed=42)
    for variable in (made, filled, turned):
        name = variable.name.partition(":")[0]
        wanted = glorot.HeNormal()((4, 3), seed=42, name=name)
        print(name, [bool((value.numpy() == wanted).all()) for value in variable.values])
    print("report", [parameter.name for parameter in outside.report().parameters])
    with tf.device("CPU:1"):
        value = glorot.tensorflow.initializer("he_normal", seed=42, name="there")((4, 3))
    wanted = glorot.HeNormal()((4, 3), seed=42, name="there")
    print("there", value.device.rpartition("/")[2], bool((value.numpy() == wanted).all()))


if __name__ == "__main__":
    main()
