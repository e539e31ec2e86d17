"""Turns lessons into slide decks: `python -m tools.decks [NOTEBOOK...]` writes `out/decks/NN-name.html`.

A deck is one HTML file that opens offline, by a double click: reveal.js, the theme, figures and speaker notes are inside.
No code is run: a deck shows the outputs that are stored in the notebook. What becomes a slide, and what a speaker note,
is said by the slide type of each cell (see "Slides" in STYLE.md); the looks are in `slides/deck/`.

- `slides`: from cells to slides, and what a lesson must have to become a deck
- `layout`: how large the letters of a slide can be
- `reveal`: where reveal.js comes from
- `build`: from slides to the file
"""
