"""All features that lab 2's tests want of a transform graph, right and wrong, made by one; imported by those who need TensorFlow anyway."""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from judges.lab_2 import given_data

GAPS = {"temp": 60.0, "dewp": 50.0, "humid": 60.0, "wind_speed": 10.0, "visib": 10.0, "precip": 0.0}


def lookup(keys, values, default):
    """A table of the graph, from text to a number."""
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(list(keys), list(values)), default)
    return lambda column: table[column]


@functools.cache
def mean(*by, what):
    """The mean of a column of the training months, by columns, under `a|b`; a graph is traced several times."""
    train = given_data.split("train")
    return train.groupby(joined(train, by))[what].mean().dropna().astype(float)


def joined(flights, by):
    first, *others = (flights[name].astype(str) for name in by)
    return first.str.cat(others, sep="|")


def means(by, what="target"):
    """A table from `a|b` to the mean of a column of the training months."""
    found = mean(*by, what=what)
    return lookup(found.index, found, float(found.mean()))


@functools.cache
def words_of(*by):
    """Words, or pairs of them, by how frequent they are in the training months."""
    return joined(given_data.split("train"), by).value_counts().index


def places(column, by, default, most=None):
    """Places of words, or of pairs of them, by how frequent they are in the training months, and a default."""
    words = words_of(*by)[:most]
    return tf.cast(lookup(words, range(len(words)), len(words) if default is None else default)(column), tf.int64)


def bucket(column, bounds):
    return tf.cast(tf.raw_ops.Bucketize(input=column, boundaries=[float(one) for one in bounds]), tf.int64)


def key(inputs, by):
    texts = [inputs[name] if inputs[name].dtype == tf.string else tf.strings.as_string(inputs[name]) for name in by]
    return tf.strings.join(texts, "|")


def filled(column, missing):
    values = tf.SparseTensor(column.indices, tf.cast(column.values, tf.float32), [column.dense_shape[0], 1])
    return tf.sparse.to_dense(values, missing)


def preprocessing_fn(inputs):
    numbers = {name: filled(inputs[name], gap) for name, gap in GAPS.items()}
    distance = tf.cast(inputs["distance"], tf.float32)
    hhmm, weekday = inputs["sched_dep_time"], inputs["weekday"]
    hour, minute = tf.cast(hhmm // 100, tf.float32), tf.cast(hhmm // 100 * 60 + hhmm % 100, tf.float32)
    week, humid, wind = tf.cast(weekday, tf.float32), numbers["humid"], numbers["wind_speed"]
    numbers |= {"distance": distance, "minute": minute, "rough_air": wind * (11 - numbers["visib"])}
    numbers["near_evening"] = tf.abs(minute - 1110)
    # Two analyzers, whatever is made: each takes Beam a third of a second, and tables made here do the same.
    together = tf.concat([tf.ensure_shape(one, [None, 1]) for one in numbers.values()], axis=1)
    z_scores = tft.scale_to_z_score(tf.cast(together, tf.float64), elementwise=True)
    made = dict(zip(numbers, tf.split(tf.cast(z_scores, tf.float32), len(numbers), axis=1), strict=True))
    carrier = tft.vocabulary(inputs["carrier"], vocab_filename="carrier")
    index = functools.partial(tft.apply_vocabulary, inputs["carrier"], carrier)
    made |= {name: inputs[name] for name in ("id", "target")}
    made["carrier_index"], made["origin_index"] = (
        index(num_oov_buckets=1),
        places(inputs["origin"], ["origin"], None),
    )
    made["weekday_index"] = weekday - 1
    # right, in another form
    weekend = week > 5
    made |= {f"from_{name}": tf.cast(inputs["origin"] == name, tf.float32) for name in ("EWR", "JFK", "LGA")}
    made["minute_share"] = minute / 1440
    made["weekend_evening"] = tf.cast(weekend & (hour > 16), tf.float32)
    made["muggy"] = numbers["dewp"] * wind / 500
    made["hour_of_week_place"] = (weekday - 1) * 24 + hhmm // 100
    made["hour_of_week"] = ((week - 1) * 24 + hour) / 84 - 1
    made["hundreds_of_week"] = tf.cast(weekday * 100 + hhmm // 100, tf.float32) / 400
    made["airline_at"] = tf.strings.to_hash_bucket_fast(key(inputs, ["carrier", "origin"]), 40)
    made["noon"] = tf.cos(2 * np.pi * minute / 1440)
    made["carrier_hash"] = tf.strings.to_hash_bucket_fast(inputs["carrier"], 30)
    made["from_vowel"] = tf.cast(tf.strings.regex_full_match(inputs["carrier"], "[AEU].*"), tf.float32)
    made["carrier_share"] = tf.cast(made["carrier_index"], tf.float32) / 16
    # a column in other clothes
    made["scaled"], made["logarithm"] = distance / 1000, tf.math.log(distance) - 6
    made["clipped"] = (tf.clip_by_value(numbers["temp"], 50, 70) - 60) / 10
    made["clipped_hour"] = tf.clip_by_value(hour, 9, 17) / 8
    made["bucketed"] = tf.cast(bucket(distance, [300, 600, 900, 1300]), tf.float32)
    made["buckets"] = bucket(minute, range(360, 1440, 90))
    made["weekend"], made["weekend_place"] = tf.cast(weekend, tf.float32), tf.cast(weekend, tf.int64)
    made["midweek"] = tf.abs(week - 4)
    made["hour"] = hhmm // 100
    made["evening"] = tf.cast((hour > 16) & (hour < 21), tf.float32)
    made["renumbered"] = 15 - index(default_value=-1)
    made["nearly_scaled"] = distance / 1000 + week / 5000
    made["far_from_dew"] = (numbers["temp"] - numbers["dewp"]) / 20
    made["folded_too"] = tf.sin(2 * np.pi * minute / 1440)
    made["number_last"] = tf.cast(inputs["id"] % 100, tf.float32) / 50
    made["rough_twice"] = made["rough_air"] * 2 + 1
    made["rare"] = tf.cast(humid > 97, tf.float32)
    # constants, and what says the same as others
    made |= {f"constant_{n}": tf.zeros_like(weekday) + n for n in range(6)}
    made |= {f"temp_{n}": made["temp"] * (1 + n / 10) for n in range(6)}
    # what knows the answer
    made["delay"] = filled(inputs["dep_delay"], 0.0) / 60
    made["risk"] = tf.cast(inputs["target"], tf.float32)
    made["planned"] = filled(tf.sparse.map_values(tf.strings.length, inputs["tailnum"]), 0.0) / 6
    for name, by, what in (
        ("of_day", ["month", "day", "origin"], "target"),
        ("of_date", ["month", "day"], "dep_delay"),
        ("of_hour", ["month", "day", "sched_dep_time"], "target"),
        ("of_flight", ["flight", "carrier"], "target"),
        ("of_id", ["id"], "target"),
    ):
        made[name] = means(by, what)(key(inputs, by))
    made["of_route"] = means(["carrier", "dest"])(key(inputs, ["carrier", "dest"])) * 5
    # what no network can take, or not well
    made["text"], made["sparse"] = inputs["origin"], inputs["temp"]
    made["nan"] = tf.math.log(numbers["precip"])
    made["pair"] = tf.concat([distance, minute], axis=1) / 1000
    made["flat"] = tf.squeeze(distance, 1) / 1000
    made["moved"], made["turned"] = inputs["id"] + 1, 1 - inputs["target"]
    made["miles"], made["tiny"], made["number"] = distance + wind, made["temp"] / 1e4, inputs["flight"]
    made["below"] = made["carrier_index"] - 1
    # not the same in service
    made["of_batch"] = (distance - tf.reduce_mean(distance)) / 500
    made["chance"] = tf.random.uniform(tf.shape(distance))
    made["unknown_below"], made["unknown_first"] = index(default_value=-1), places(inputs["carrier"], ["carrier"], 0)
    made["share_first"] = tf.cast(made["unknown_first"], tf.float32) / 16
    pairs = {n: key(inputs, ["carrier", n]) for n in ("origin", "dest")}
    for name, pair in pairs.items():
        made[f"pair_{name}"], made[f"pair_first_{name}"] = (places(pair, ["carrier", name], d) for d in (None, 0))
        made[f"pair_top_{name}"] = places(pair, ["carrier", name], None, 30)
    flags = {n: tf.cast(inputs["carrier"] == n, tf.float32) for n in words_of("carrier")}
    made |= {f"by_{n}": flag for n, flag in flags.items()}
    made["huge"] = tf.where(inputs["dest"] == "XXA", 1e30, distance / 1000)
    made["huge_place"] = tf.where(inputs["dest"] == "XXA", tf.constant(99999, tf.int64), made["origin_index"])
    made["no_dest"] = tf.where(inputs["dest"] == "XXA", np.nan, distance / 1000)
    return made
