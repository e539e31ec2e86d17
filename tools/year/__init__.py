"""A year in service in minutes: `python -m tools.year` serves, logs, watches, decides, retrains and releases month by month, without a hand.

It plays the clients and the calendar. What is done about the model is done by what the commands do: `flights watch`, `flights retrain`, `flights release`.
"""
