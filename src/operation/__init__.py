"""What happens to a model after it was released: watched, judged when its labels come, and retrained; see README.md in this folder.

Importing this imports nothing heavy.
"""
