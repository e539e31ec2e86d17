"""What the browser tests stand on: Chromium without a window, decks that are measured, JupyterLab used as a person does.

- `chromium`: opens and closes the browser; what a page asked the network for, and what it complained about
- `deck`: goes through a deck slide by slide, measures each and takes its picture
- `lab`: starts JupyterLab on a copy of the course, opens a lesson, runs it, reads what it shows
"""
