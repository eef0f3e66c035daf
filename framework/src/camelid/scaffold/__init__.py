"""What `camelid new` writes: packages of other people, complete and working from the first minute.

`names` are what such a package is called, `package` writes its files. The files stand in `templates/`, one folder for
each kind of package, as they will be but for the names.
"""
