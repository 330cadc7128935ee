"""The demonstration: scenes between a cluster, a phone and an attacker, each with the decisions that are expected.

`scenes` says what happens and what should come of it, `stage` has the cluster and the phone, `teller` tells it to
people or programs. Texts stand beside the scenes in English and Japanese.
"""
