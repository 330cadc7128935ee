"""The Certificate Management REST API of a node (public with UCM 14; every release has it here).

Base ``/platformcom/api/v1/certmgr/config/`` on HTTPS 443 and 8443, HTTP Basic with the administrator's account.
Requests act on the node that is called; a trust store is the whole cluster's.

What is known of the product, from its clients::

    POST   csr                   make a signing request           200, ``csr``
    GET    identity/certificate  one own certificate              ?service=
    POST   identity/certificates upload a CA-signed certificate   leaf first, its chain may follow
    GET    trust/certificate     a trust store                    ?service=
    POST   trust/certificates    upload into trust stores         ``service`` is a list
    GET    snapshot/server       all certificates and requests
    GET    options               what may be asked for

    401 with realm ``CMPlatform Realm``; 400 when the CA is not in the trust store yet; 500 for a signing request that
    is used up or replaced; errors carry ``message``; status lines have no reason phrase.

Ours::

    GET    csr                   the pending request              ?service=
    DELETE csr                   drops it with its key            ?service=
    POST   identity/selfsigned   a new self-signed certificate    fields as of ``csr``
    DELETE trust/certificate     out of the store                 ?service= & ?filename= (or ?sha256=)
    GET    snapshot/options      the same as options
    singular and plural mean the same; GET without ``service`` gives all own certificates, or all trust stores
    ``If-Match`` with the ``ETag`` of an own certificate refuses a change of another one with 409
    ``distribution: multi-server``; what options looks like; further fields of answers; unknown fields are passed over
    201 for what was uploaded or made, 200 otherwise; 404, 405, 408, 409, 413, 415 and 503

`application` knows HTTP, `handlers` do the work through `cluster.management`, `messages` are requests and answers as
JSON, `names` what services are called.
"""
