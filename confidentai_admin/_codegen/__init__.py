"""Writes the blocking facade, ``_sync``, from the core, ``_async``.

``source`` reads the core, ``facade`` says it again in blocking words, and ``__main__`` writes or checks the files. What
is not understood is refused, by file and line: a method can be left out only by giving it a private name.
"""
