"""What the judges of several labs share: answers, files and stores of unknown origin, read as data.

answer_forms:    answers that are not of the form that was asked for
workspace_files: files of a workspace; nothing is followed out of it, unpickled, or longer than it should be
example_records: tf.Examples in TFRecord files
metadata_store:  a metadata store's runs, executions and artifacts, as rows of SQLite
"""
