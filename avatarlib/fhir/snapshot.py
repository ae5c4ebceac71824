def apply(library, elements, changes, where):
    raise NotImplementedError
