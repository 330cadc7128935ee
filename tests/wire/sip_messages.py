"""A captured registration of a 7821 with UCM 11.5, and the first of RFC 4475's torture tests, as they are published.

Addresses are those of the capture. Where it is printed in lines, these end with CR LF here.
"""

from __future__ import annotations

PHONE = "192.168.7.104:51778"
CONTACT = (
    "<sip:04984998-fe29-08c0-6d47-5593bf4ce606@192.168.7.104:51778;transport=tcp>"
    ';+sip.instance="<urn:uuid:00000000-0000-0000-0000-c80084aa8743>"'
    ';+u.sip!devicename.ccm.cisco.com="SEPC80084AA8743";+u.sip!model.ccm.cisco.com="621"'
)
FROM = "<sip:2222@192.168.7.200>;tag=c80084aa8743001411d7279b-7ecf20ad"
VIA = f"SIP/2.0/TCP {PHONE};branch=z9hG4bK66da98ae"
CALL_ID = "c80084aa-87430003-255b99f4-783a63d4@192.168.7.104"

REGISTER_LENGTH, ANSWER_LENGTH, ALARM_LENGTH = 1313, 381, 569
"""Content-Length of the captured bodies."""

REGISTER_HEADERS = (
    ("Via", VIA),
    ("From", FROM),
    ("To", "<sip:2222@192.168.7.200>"),
    ("Call-ID", CALL_ID),
    ("Max-Forwards", "70"),
    ("Session-ID", "cead41d700105000a000c80084aa8743;remote=00000000000000000000000000000000"),
    ("Date", "Sat, 09 Mar 2019 18:32:45 GMT"),
    ("CSeq", "113 REGISTER"),
    ("User-Agent", "Cisco-CP7821/12.1.1"),
    ("Contact", CONTACT),
    (
        "Supported",
        (
            "replaces,join,sdp-anat,norefersub,resource-priority,extended-refer,X-cisco-callinfo,X-cisco-serviceuri,"
            "X-cisco-escapecodes,X-cisco-service-control,X-cisco-srtp-fallback,X-cisco-monrec,X-cisco-config,"
            "X-cisco-sis-7.0.0,X-cisco-xsi-8.5.1"
        ),
    ),
    (
        "Reason",
        (
            'SIP;cause=200;text="cisco-alarm:23 Name=SEPC80084AA8743 ActiveLoad=sip78xx.12-1-1-12.loads '
            'InactiveLoad=sip78xx.10-3-1-12.loads Last=reset-restart"'
        ),
    ),
    ("Expires", "3600"),
    ("Content-Type", "multipart/mixed; boundary=uniqueBoundary"),
    ("Mime-Version", "1.0"),
)

TRYING_HEADERS = (
    ("Via", VIA),
    ("From", FROM),
    ("To", "<sip:2222@192.168.7.200>"),
    ("Date", "Sat, 09 Mar 2019 18:32:46 GMT"),
    ("Call-ID", CALL_ID),
    ("CSeq", "113 REGISTER"),
)

OK_HEADERS = (
    ("Via", VIA),
    ("From", FROM),
    ("To", "<sip:2222@192.168.7.200>;tag=2121423204"),
    ("Date", "Sat, 09 Mar 2019 18:32:46 GMT"),
    ("Call-ID", CALL_ID),
    ("Server", "Cisco-CUCM11.5"),
    ("CSeq", "113 REGISTER"),
    ("Expires", "120"),
    ("Contact", f"{CONTACT};x-cisco-newreg"),
    ("Supported", "X-cisco-srtp-fallback,X-cisco-sis-8.0.0"),
    ("Content-Type", "application/x-cisco-remotecc-response+xml"),
)

OK_BODY = b"""<x-cisco-remotecc-response>
<response>
<code>200</code>
<optionsind>
<combine max="6">
<remotecc><status/></remotecc>
<service-control/>
</combine>
<dialog usage="hook status"><unot/></dialog>
<dialog usage="shared line"><unot/></dialog>
<presence usage="blf speed dial"><unot/></presence>
<joinreq></joinreq>
<ix/>
<bfcp/>
</optionsind>
</response>
</x-cisco-remotecc-response>
\r
"""
"""The element of the answer, lined as its Content-Length demands."""

ALARM_SIGNATURE = bytes.fromhex("1BA1" + "00" * 17 + "6D")
"""Its middle is not printed in the source."""

TORTUOUS = (
    (
        "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\n"
        "TO :\n"
        " sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\n"
        'from   : "J Rosenberg \\\\\\""       <sip:jdrosen@example.com>\n'
        "  ;\n"
        "  tag = 98asjd8\n"
        "MaX-fOrWaRdS: 0068\n"
        "Call-ID: wsinv.ndaksdj@192.0.2.1\n"
        "Content-Length   : 150\n"
        "cseq: 0009\n"
        "  INVITE\n"
        "Via  : SIP  /   2.0\n"
        " /UDP\n"
        "    192.0.2.2;branch=390skdjuw\n"
        "s :\n"
        "NewFangledHeader:   newfangled value\n"
        " continued newfangled value\n"
        "UnknownHeaderWithUnusualValue: ;;,,;;,;\n"
        "Content-Type: application/sdp\n"
        "Route:\n"
        " <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\n"
        "v:  SIP  / 2.0  / TCP     spindle.example.com   ;\n"
        "  branch  =   z9hG4bK9ikj8  ,\n"
        " SIP  /    2.0   / UDP  192.168.255.111   ; branch=\n"
        " z9hG4bK30239\n"
        'm:"Quoted string \\"\\"" <sip:jdrosen@example.com> ; newparam =\n'
        "      newvalue ;\n"
        "  secondparam ; q = 0.33\n"
        "\n"
        "v=0\n"
        "o=mhandley 29739 7272939 IN IP4 192.0.2.3\n"
        "s=-\n"
        "c=IN IP4 192.0.2.4\n"
        "t=0 0\n"
        "m=audio 49217 RTP/AVP 0 12\n"
        "m=video 3227 RTP/AVP 31\n"
        "a=rtpmap:31 LPC\n"
    )
    .replace("\n", "\r\n")
    .encode()
)
"""RFC 4475, 3.1.1.1: a short tortuous INVITE."""
