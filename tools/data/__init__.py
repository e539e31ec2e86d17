"""The data on disk: the full year, the committed sample, and the files that are broken on purpose.

python -m tools.data year       build the full year in out/data/flights (`make data`)
python -m tools.data sample     write the committed sample in data/flights again, and its checksums
python -m tools.data fixtures   write data/fixtures again
python -m tools.data.history FOLDER   run the history of lesson 10 again in an empty folder, and keep its metadata store
"""
