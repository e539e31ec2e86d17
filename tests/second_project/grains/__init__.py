"""Which variety is a grain? A small TFX project on a table of its own: three classes, one span a year. It stands for anybody's."""
