"""TEMPORARY"""
from __future__ import annotations
from cluster.purposes import Purpose
from cluster.management import certificates, ctl, itl
from tests.procedures.field import OPERATOR
P12 = {}
async def run_command(lab, node, command):
    s, a = lab.store, OPERATOR
    w = command.split()
    if command.startswith("set cert regen"): await certificates.regenerate(s, node, Purpose(w[3]), a)
    elif command.startswith("utils service restart"):
        name = command[len("utils service restart "):]
        n = lab.laboratory.nodes[node]
        if name == "Cisco Tftp": await itl.undo_reset(s, node)
        await n.supervisor.restart(name)
    elif command == "utils itl reset localkey": await itl.reset_localkey(s, a)
    elif command == "utils itl reset remotekey": await itl.reset_remotekey(s, P12['p'], 'x', a)
    elif command == "file get tftp ITLRecovery.p12": P12['p'] = await itl.export_recovery(s, 'x', a)
    elif command == "utils ctl set-cluster mixed-mode": await ctl.set_mixed_mode(s, a)
    elif command == "utils ctl set-cluster non-secure-mode": await ctl.set_non_secure_mode(s, a)
    elif command == "utils ctl update CTLFile": await ctl.update_ctl(s, a)
    elif command == "utils ctl reset localkey": await ctl.reset_ctl_localkey(s, a)
    elif command.startswith("file delete tftp"): await ctl.delete_file(s, node, w[3], a)
    else: raise AssertionError(command)
    return ""
