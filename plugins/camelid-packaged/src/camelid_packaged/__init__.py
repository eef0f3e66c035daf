"""Models that ship inside installed Python packages.

`offers` finds which names installed packages offer, `files` finds what belongs to an offer without importing the
package, `registry` hands it to the store, `plugin` holds the hook.
"""
