"""What every function of hesse returns that has more than one number to tell."""

from types import SimpleNamespace as _SimpleNamespace


def _shown(value):
    """repr, but of a large or structured array its shape alone."""
    shape, dtype = getattr(value, "shape", ()), getattr(value, "dtype", None)
    if dtype is None or (dtype.names is None and getattr(value, "size", 0) <= 20):
        return repr(value)
    return f"array of shape {shape}: {', '.join(dtype.names) if dtype.names else dtype}"


class Result(_SimpleNamespace):
    """Named values, in order: r.value is r["value"]. dict(r) is a dictionary of them."""

    def keys(self):
        return self.__dict__.keys()

    def __getitem__(self, name):
        return self.__dict__[name]

    def __setitem__(self, name, value):
        self.__dict__[name] = value

    def __iter__(self):
        return iter(self.__dict__)

    def __len__(self):
        return len(self.__dict__)

    def __contains__(self, name):
        return name in self.__dict__

    def __getattr__(self, name):
        raise AttributeError(f"there is no '{name}' in this result; there are {', '.join(self.__dict__)}")

    def __repr__(self):
        width = max(map(len, self.__dict__), default=0)
        lines = []
        for name, value in self.__dict__.items():
            text = _shown(value).replace("\n", "\n" + " " * (width + 2))
            lines.append(f"{name:>{width}}: {text}")
        return "\n".join(lines)
