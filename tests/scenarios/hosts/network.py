"""A network of hosts, each in a network namespace of its own, joined by a switch; nothing of the machine is touched.

    with network() as net:
        host = net.host()                    an IPv4 and an IPv6 address of its own
        host.listener(host.ipv6, 25)         a socket that listens there, for use in this process
        host.command("postroom", "deliver")  what to start for a process that is there
        host.unplug()                        its cable is pulled out

The addresses are of kinds that the internet at large has, for those of documentation count as private. Nobody outside
has or hears of them: the switch leads nowhere. All of it ends with this process, however it ends.
"""

import array
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

IPV4 = "44.10"
IPV6 = "2a10:44:10"
NOBODY = "02:00:00:00:00:01"
"""A hardware address that no host has: what is sent to it is lost, as behind a firewall that drops."""

_ENDS_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL")
_KEEPER = Path(__file__).with_name("keeper.py")


class Keeper:
    """The process that has the namespaces."""

    def __init__(self) -> None:
        # Where we aren't root, we are within a user namespace, which is enough to be master of the network there.
        self._as_root = os.geteuid() == 0
        unshare = ["unshare", "--net"] if self._as_root else ["unshare", "--user", "--map-root-user", "--net"]
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [*unshare, sys.executable, "-I", str(_KEEPER), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )

    def ask(self, **request: object) -> tuple[object, socket.socket | None]:
        """The answer to a request, and the socket that came with it."""
        try:
            self._line.send(json.dumps(request).encode())
            packet, attached, _, _ = self._line.recvmsg(1 << 16, socket.CMSG_SPACE(4))
        except ConnectionError:
            packet, attached = b"", []
        if not packet:
            assert self._process.stderr is not None
            said = self._process.stderr.read().decode(errors="replace").strip()
            pytest.fail(
                "this machine makes no network namespaces, which the stories of several hosts need: "
                f"run the tests as root, or allow user namespaces (unshare -rn true). It said: {said}"
            )
        answer = json.loads(packet)
        assert "problem" not in answer, answer["problem"]
        if not attached:
            return answer["value"], None
        handed = array.array("i")
        handed.frombytes(attached[0][2])
        return answer["value"], socket.socket(fileno=handed[0])

    def namespace(self) -> int:
        """A new namespace."""
        value, _ = self.ask(make="namespace")
        assert isinstance(value, int)
        return value

    def path(self, namespace: int) -> str:
        """Where a namespace is found by others."""
        return f"/proc/{self._process.pid}/fd/{namespace}"

    def command(self, namespace: int) -> list[str]:
        """What stands before the command of a process in a namespace, which ends with this one."""
        return [*self._entering(namespace), *self._as_ourselves(), *_ENDS_WITH_PARENT]

    def sealed(self, namespace: int, files: Mapping[str, Path]) -> list[str]:
        """The same for a process that finds ``files`` in the place of others, and whose children end with it."""
        mounts = "".join(f"mount --bind {file} {place} && " for place, file in files.items())
        apart = ["unshare", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child"]
        inside = ["sh", "-c", f'{mounts}exec "$@"', "sealed"]
        ours = [*self._as_ourselves(), *_ENDS_WITH_PARENT]
        return [*self._entering(namespace), *_ENDS_WITH_PARENT, *apart, *inside, *ours]

    def _entering(self, namespace: int) -> list[str]:
        user = [] if self._as_root else ["--preserve-credentials", f"--user=/proc/{self._process.pid}/ns/user"]
        return ["nsenter", f"--net={self.path(namespace)}", *user]

    def _as_ourselves(self) -> list[str]:
        return [] if self._as_root else ["unshare", "--user", f"--map-user={os.getuid()}", f"--map-group={os.getgid()}"]

    def close(self) -> None:
        """The end of everything."""
        self._line.close()
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._process.wait()


class Host:
    """One host. ``ipv4`` and ``ipv6`` are its first addresses."""

    def __init__(self, keeper: Keeper, switch: int, number: int) -> None:
        self._keeper = keeper
        self._switch = switch
        self._number = number
        self._namespace = keeper.namespace()
        self._addresses = 0
        keeper.ask(
            **{"in": switch},
            ip=[
                f"link add port{number} type veth peer name eth0 netns {keeper.path(self._namespace)}",
                f"link set port{number} master switch up",
            ],
        )
        # No address that it makes up by itself, and no waiting whether anybody else has the one it is given.
        self.write("/proc/sys/net/ipv6/conf/eth0/accept_dad", "0")
        self.write("/proc/sys/net/ipv6/conf/eth0/accept_ra", "0")
        self.write("/proc/sys/net/ipv6/conf/eth0/addr_gen_mode", "1")
        self.ip("link set eth0 up")
        self.ipv4, self.ipv6 = self.address()

    def address(self) -> tuple[str, str]:
        """One more pair of addresses."""
        self._addresses += 1
        ipv4, ipv6 = f"{IPV4}.{self._number}.{self._addresses}", f"{IPV6}:{self._number:x}::{self._addresses:x}"
        self.ip(f"address add {ipv4}/16 dev eth0", f"address add {ipv6}/48 dev eth0 nodad")
        return ipv4, ipv6

    def ip(self, *lines: str) -> None:
        """What the command ``ip`` does there, a line each."""
        self._keeper.ask(**{"in": self._namespace}, ip=list(lines))

    def write(self, file: str, text: str) -> None:
        """Write a file of /proc/sys/net, which every namespace has its own of."""
        self._keeper.ask(**{"in": self._namespace}, file=file, text=text)

    def listener(self, address: str, port: int, kind: str = "tcp") -> socket.socket:
        """A socket that listens (``tcp``) or is bound (``udp``) there."""
        _, made = self._keeper.ask(**{"in": self._namespace}, listen=address, port=port, kind=kind)
        assert made is not None
        made.setblocking(False)
        return made

    def watch(self) -> socket.socket:
        """A socket that gets every frame on its cable."""
        _, made = self._keeper.ask(**{"in": self._namespace}, watch="eth0")
        assert made is not None
        made.setblocking(False)
        return made

    def loses(self, *addresses: str) -> None:
        """What it sends to these addresses gets lost from now on."""
        self.ip(*(f"neighbour replace {each} lladdr {NOBODY} dev eth0 nud permanent" for each in addresses))

    def finds(self, *addresses: str) -> None:
        """What it sends to these addresses arrives again."""
        self.ip(*(f"neighbour delete {each} dev eth0" for each in addresses))

    def unplug(self) -> None:
        """Nothing leaves it or reaches it from now on, and nobody is told."""
        self._keeper.ask(**{"in": self._switch}, ip=[f"link set port{self._number} nomaster"])

    def plug(self) -> None:
        """The cable is back in."""
        self._keeper.ask(**{"in": self._switch}, ip=[f"link set port{self._number} master switch up"])

    def command(self, *words: str) -> list[str]:
        """The command of a process that runs there, and ends with this one."""
        return [*self._keeper.command(self._namespace), *words]

    def sealed(self, *words: str, files: Mapping[str, Path]) -> list[str]:
        """The same for a process that finds ``files`` in the place of others, and whose children end with it."""
        return [*self._keeper.sealed(self._namespace, files), *words]


class Network:
    """A switch without hosts."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._switch = keeper.namespace()
        self._hosts = 0
        keeper.ask(**{"in": self._switch}, ip=["link add switch type bridge mcast_snooping 0", "link set switch up"])

    def host(self) -> Host:
        """One more host."""
        self._hosts += 1
        return Host(self._keeper, self._switch, self._hosts)


@contextmanager
def network() -> Iterator[Network]:
    """A network of its own. Fails where the machine makes no namespaces."""
    keeper = Keeper()
    try:
        yield Network(keeper)
    finally:
        keeper.close()
