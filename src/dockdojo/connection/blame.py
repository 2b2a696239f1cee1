"""Whose fault a build, create or start that failed is: the words of engine, builder and registry, in two tables.

The submission is at fault only where those words say so. Everything else is the machine's, told with what to do about it.
What a RUN printed is never looked at here, and commands and quoted names, which a submission chooses, are taken out first.
"""

from __future__ import annotations

import platform as platforms
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from dockdojo.errors import (
    EngineGone,
    ImageUnavailable,
    LimitReached,
    NoBuildKit,
    NoGpu,
    OurFault,
)

T = TypeVar("T")

PAUSE_SECONDS = 1.0
"""Before what failed for the machine's sake is tried once more."""
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
"""A name as Go quotes it."""
ADDRESS = re.compile(r"https?://[^\s\"]{1,2000}")
COMMAND = re.compile(
    r'^(?:executor failed running \[.*\]|process ".*" did not complete successfully): ',
    re.DOTALL,
)
PREFIX = re.compile(
    r"^(?:ERROR: |Error: |Error response from daemon: |failed to build(?: LLB)?: |failed to solve(?: with frontend \S{1,80})?: "
    r"|failed to create LLB definition: |rpc error: code = \w{1,30} desc = "
    r"|(?:Unknown|ResourceExhausted|InvalidArgument|NotFound|FailedPrecondition|Internal|Canceled): "
    # Podman's builder does not escape the instruction between its quotation marks.
    r"|(?:error )?building at STEP \".*\": (?=checking on sources|adding sources|no stage or image|error adding|copying|stat ))",
    re.DOTALL,
)
"""What a client puts before the words of the builder."""
WORDS_LENGTH = 300
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""Names of processors, as Docker has them."""
NO_SERVER = (
    r"dial tcp|no such host|timed out|i/o timeout|connection refused|TLS handshake|network is unreachable|no route to host"
    r"|x509:"
)
"""How Docker's programs say that a server did not answer."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that can be wrong with a machine: how the engine says it, what it is, and what to do."""

    said: re.Pattern[str]
    what: str
    """A sentence; `{name}` stands for a group of the pattern."""
    hint: str
    kind: type[OurFault] = EngineGone


def _trouble(
    said: str, what: str, hint: str, kind: type[OurFault] = EngineGone
) -> Trouble:
    return Trouble(re.compile(said, re.IGNORECASE | re.MULTILINE), what, hint, kind)


TROUBLES = (
    _trouble(
        r"client version (?P<ours>[0-9.]{1,9}) is too old\. Minimum supported API version is (?P<theirs>[0-9.]{1,9}[0-9])",
        "The docker CLI here speaks API {ours}, and the engine asks for {theirs} at least.",
        "Install a docker CLI that is as new as the engine, with its buildx plugin; `docker version` shows both.",
    ),
    _trouble(
        r"client version (?P<ours>[0-9.]{1,9}) is too new\. Maximum supported API version is (?P<theirs>[0-9.]{1,9}[0-9])",
        "The docker CLI here speaks API {ours}, and the engine knows {theirs} at most.",
        "Unset DOCKER_API_VERSION, or install a newer engine; `docker version` shows both.",
    ),
    _trouble(
        r"buildx component is missing or broken|buildkit not supported by daemon|unknown service moby\.buildkit"
        r"|unable to upgrade to h2c|BuildKit is enabled but|is not a docker command|requires BuildKit"
        r"|failed to list workers|^unknown (?:flag|shorthand flag): -",
        "There is no BuildKit here to build with.",
        "Docker Engine 20.10 or newer has it, and the docker CLI needs its buildx plugin since version 23 "
        "(`docker buildx version`). Podman's service has none.",
        NoBuildKit,
    ),
    _trouble(
        r"error getting credentials|docker-credential-",
        "The docker CLI cannot run its credential helper.",
        "Take `credsStore` and `credHelpers` out of ~/.docker/config.json, or install the helper that is named there.",
    ),
    _trouble(
        r"no match for platform|no matching manifest for (?P<platform>[\w/]{1,40})|does not provide the specified platform"
        r"|does not match the specified platform|no image found in (?:manifest list|image index) for",
        "The base image does not exist for the platform {platform}.",
        "Grade on a machine of another platform, or let the Dockerfile build on an image that has this one: "
        "`docker manifest inspect IMAGE` lists them.",
        ImageUnavailable,
    ),
    _trouble(
        r"no space left on device[^\w]*(?:unknown)?$|disk quota exceeded[^\w]*(?:unknown)?$",
        "The engine's disk is full.",
        "`docker system df` shows what takes the space; `dockdojo clean --cache` and `docker system prune` make room.",
    ),
    _trouble(
        r"failed to create endpoint|could not find bridge|failed to set up container networking|iptables|veth"
        r"|network (?:\S{1,64} )?not found|failed to program FILTER chain|address pools?\b|pool overlaps",
        "The engine's network is broken: it could not connect a container to it.",
        "Restart the engine (`systemctl restart docker`, or Docker Desktop's Restart): it makes its bridge anew.",
    ),
    _trouble(
        r"cgroup|error during container init: error setting rlimits",
        "The engine cannot set up control groups for a container.",
        "Restart the engine. `docker info` shows the cgroup driver, which must be the one that this machine uses.",
    ),
    _trouble(
        r"unable to retrieve OCI runtime error|error running (?:prestart |createRuntime )?hook|unknown or invalid runtime"
        r"|seccomp|apparmor|failed to start shim|containerd-shim|error mounting|mounting \S+ (?:to|cgroup)"
        r"|rootfs_linux\.go|OCI runtime create failed",
        "The engine's runtime (runc) could not make a container.",
        "Does `docker run --rm hello-world` work? If not, restart or reinstall the engine.",
    ),
    _trouble(
        r"cannot allocate memory|too many open files|resource temporarily unavailable|input/output error"
        r"|read-only file system|device or resource busy",
        "The machine of the engine has run out of something.",
        "Memory, open files and disk are the usual ones: `docker info`, `free -m` and `df -h` tell.",
    ),
    _trouble(
        r"content digest|(?:parent )?snapshot \S{1,100} does not exist|failed to prepare (?:extraction snapshot|sha256)"
        r"|layer does not exist|content store|unexpected commit (?:digest|size)|failed to mount |mount source: |short read",
        "The engine's store of images has lost something, or is damaged.",
        "`docker builder prune` and a fresh `docker pull` of the base image make it whole again; else restart the engine.",
    ),
    _trouble(
        r"short-name ",
        "The engine does not know which registry a short name is of.",
        'Podman asks only registries that it is told of: put `unqualified-search-registries = ["docker.io"]` into '
        "/etc/containers/registries.conf.",
        ImageUnavailable,
    ),
    _trouble(
        r"permission denied while trying to connect",
        "This user may not talk to the engine.",
        "Join the group `docker` (`sudo usermod -aG docker $USER`), and log in again.",
    ),
    _trouble(
        r"unable to prepare context: path|unable to evaluate symlinks in (?:Dockerfile|context)"
        r"|failed to read dockerfile: open|could not find \S{1,300}: stat|^resolve ?: lstat|/snap/|/snapd/",
        "The docker CLI does not see the folder that is to be built.",
        "Docker from snap sees nothing of /tmp: set TMPDIR to a folder in your home that is not hidden, or install "
        "Docker's own packages in its place.",
    ),
    _trouble(
        r"Cannot connect to the Docker daemon|error during connect|code = Unavailable|transport is closing"
        r"|connection reset by peer|context canceled|unexpected EOF|^EOF$|context deadline exceeded|use of closed network",
        "The engine stopped answering.",
        "`dockdojo engine status` tells whether it still runs.",
    ),
    _trouble(
        NO_SERVER,
        "A registry, or another server that the build asks, did not answer.",
        "Does this machine reach it? `docker pull busybox` tells; a proxy is set with HTTPS_PROXY.",
        ImageUnavailable,
    ),
)
"""What engine, builder and CLI say where the machine is at fault; the first that fits counts."""

DOCKERFILES_WORDS = re.compile(
    r"^(?:dockerfile parse error|failed to parse (?!image config|ref\b|error)|failed to process|base name|circular dependency"
    r"|invalid (?:containerport|hostport|port|proto|start|range|ip address|reference format|user index|field|signal|chmod)"
    r"|invalid (?:stage index|mount target|checksum|mode)|no port specified|empty (?:string specified for ports|platform value)"
    r"|invalid from flag value \S{1,200}: (?:refers to current|invalid|no such stage)"
    r"|target stage|failed to reach build target|the dockerfile|dockerfile contains|file with no instructions|no image was gen"
    r"|no build stage|cannot copy from stage|no stage or image found|variable expansion is not supported|lint violation"
    r"|unknown instruction|unknown flag: (?!-)|syntax error|unexpected end of statement|dockerfile unknown|normalizing workdir"
    r"|mount target|cannot mount|parsing platform|unsupported (?:mount|network mode|security mode|sharing|digest)"
    r"|checksum (?:can't|requires|mismatch)|source can't be|inconsistent keep-git-dir|volume specified can not"
    r"|onbuild trigger|parsing produced an invalid|(?:error from sender: |error checking context: )?invalid excludepatterns"
    r"|(?:error checking context: )?'?syntax error in pattern)",
    re.IGNORECASE,
)
"""How the builder begins where it cannot make sense of the Dockerfile, or of .dockerignore."""
SUBMISSIONS_WORDS = re.compile(
    r"^(?:unable to find (?:user|group) |unable to convert uid/gid|secret \S.*not found$"
    r"|(?:COPY|ADD) failed: .*(?:not exist|no such file|no source files|not found|outside|excluded|not a directory)"
    r"|no source files were specified|no items matching|failed to compute cache key: \"\"|\"\"(?: not found)?: not found"
    r"|(?:failed to compute cache key: )?(?:failed to calculate checksum of ref \S{1,300}: )?"
    r"(?:\"\"(?: not found)?: not found$|failed to walk .*: (?:no such file or directory|not a directory)$"
    r"|.*: too many links$)"
    r"|(?:failed to compute cache key: )?lstat \S{1,200}(?:buildkit|docker-builder).*no such file or directory$"
    r"|(?:failed to load cache key: )?invalid response status 4(?!01|03|07|29)[0-9]{2}"
    r"|When using (?:COPY|ADD) with more than one"
    r"|(?:checking on sources|(?:error )?adding sources) .*: (?:no such file or directory|no items matching.*)$)",
    re.IGNORECASE,
)
"""How the builder begins where a file, a user or a layer of the submission is at fault."""
FILES_WORDS = re.compile(
    r"^(?:failed to [a-z ]{2,40}: |userspace copy failed: )*"
    r"(?:cannot (?:copy to non-directory|replace to)"
    r"|(?:mkdir|open|openat|stat|lstat|symlink|link|lchown|chown|chmod|rename|unlinkat|copy|read|readlink|utimensat)[ :]"
    r".*: (?:not a directory|is a directory|file exists|too many levels of symbolic links|file name too long)$)",
)
"""A place in the image that is not what COPY, ADD or WORKDIR need. In it are names that the submission chose."""
SUBMISSIONS_SIGNS = re.compile(
    r"\"\" not found: not found$|too many links$|argument list too long$|no such (?:user|group)|can't find [ug]id"
    r"|: (?:not a directory|is a directory|file exists|too many levels of symbolic links|file name too long)$"
    r"|no matching entries in (?:passwd|group) file|max(?:imum)? depth exceeded|digest mismatch|forbidden path outside"
    r"|invalid user index|too many layers",
    re.IGNORECASE,
)
"""What is the submission's wherever it stands, unless the words tell of the machine as well."""
RUNTIMES_WORDS = re.compile(
    r"^(?:container_linux\.go:[0-9]|process_linux\.go:[0-9]|runc (?:run|create) failed|OCI runtime |crun: |error: crun|runc: "
    r"|nsexec|libcontainer: |time=\S{1,80} level=(?:error|fatal|warning) msg=)"
)
"""How runc begins where it could not start the command of a RUN. A RUN can print the same, so that proves nothing."""
REGISTRY_MISSING = re.compile(
    r"repository does not exist|insufficient_scope|manifest unknown|name unknown|name invalid",
    re.IGNORECASE,
)
REGISTRY_NOT_FOUND = re.compile(
    r"\b404\b|not found[.\s]*$|manifest for .{0,300} not found", re.IGNORECASE
)
"""How a registry says that there is no such image; Docker Hub asks for a login where there is no repository."""
REGISTRY_STATUS = re.compile(
    r"toomanyrequests|rate limit|\b(?:401|403|407|429|5[0-9]{2})(?: [A-Z]|[:,.]|$)|unauthorized|\bdenied\b|forbidden",
    re.IGNORECASE,
)
UNREACHABLE = re.compile(
    rf"{NO_SERVER}|context deadline exceeded|Client\.Timeout|EOF$|toomanyrequests|server misbehaving|\b50[0-9] "
    r"|proxyconnect|read tcp|connection reset by peer",
)
_NO_WAY = (
    r"(?:name resolution|NameResolutionError|Name or service not known|nodename nor servname|getaddrinfo|unreachable"
    r"|No route to host|Could not resolve|no such host|lookup address information)"
)
"""How programs say that no name was found, or that no way leads to a host."""
_NO_ANSWER = rf"(?:{_NO_WAY}|timed out|ConnectTimeoutError|i/o timeout)"
"""The same, and what programs that do nothing but fetch say where nothing comes back."""
NO_NETWORK = re.compile(
    r"^\s{0,9}(?:"
    rf"WARNING: Retrying \(.*{_NO_ANSWER}"
    r"|(?:[WE]: Failed to fetch .{1,500}|)(?:Temporary failure resolving|Could not resolve) '"
    rf"|(?:[WE]: Failed to fetch .{{1,500}}|)(?:Cannot initiate the connection|Could not connect) to .*{_NO_ANSWER}"
    r"|curl: \((?:6|28)\) |curl: \(7\) (?:.*(?:Network is unreachable|No route to host|Network unreachable))"
    rf"|wget: (?:unable to resolve host address|bad address|download timed out|.*{_NO_ANSWER})"
    r"|npm (?:ERR!|error) (?:code |errno |.*)(?:EAI_AGAIN|ENOTFOUND|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT)"
    r"|error An unexpected error occurred: .*(?:EAI_AGAIN|ENOTFOUND|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT)"
    rf"|fatal: unable to access .*{_NO_ANSWER}"
    r"|(?:WARNING|ERROR): .*(?:temporary error|transient error|DNS lookup error)"
    rf"|(?:[\w.]{{1,80}}(?:Error|Exception|gaierror|timeout)): .*{_NO_WAY}"
    rf"|(?:error|warning|go|go: \S{{1,200}}|Caused by|\[[0-9]{{1,3}}\]): .*{_NO_WAY}"
    rf"|(?:dns error|\S{{1,80}}: module lookup).*{_NO_WAY}"
    r")",
    re.MULTILINE,
)
"""The lines of pip, uv, apt, curl, wget, npm, yarn, git, apk, go, cargo and Python where no name or no way to a host is found."""


def builders_words(text: str) -> str:
    """Return what the builder itself said in the last line of a build, without clients' prefixes and the command that it ran."""
    while (shorter := PREFIX.sub("", text, count=1)) != text:
        text = shorter
    return COMMAND.sub("", text)


def unnamed(words: str) -> str:
    """Return the words without what a submission chooses: quoted names and addresses."""
    return ADDRESS.sub("", QUOTED.sub('""', words))


def find_trouble(words: str, *, platform: str = "") -> OurFault | None:
    """Return the machine's trouble that the words speak of, as an error with the way out, or None."""
    said = unnamed(words)
    for trouble in TROUBLES:
        if found := trouble.said.search(said):
            named = {key: value for key, value in found.groupdict().items() if value}
            what = trouble.what.format(
                **{"platform": platform or _own_platform(), **named}
            )
            return trouble.kind(
                f"{what} It said: {in_one_line(words).rstrip('.')}.", hint=trouble.hint
            )
    return None


def unknown(what: str, words: str) -> EngineGone:
    """Return the error for words that no table has: never the submission's."""
    return EngineGone(
        f"{what}: {in_one_line(words or 'no reason was given').rstrip('.')}.",
        hint="Nothing says that the submission is at fault. Does `docker run --rm hello-world` work on this machine?",
    )


def once_more(
    action: Callable[[], T], pause: float = PAUSE_SECONDS, *, starts: bool = False
) -> T:
    """Return what the action returns. If the machine fails it, try once more; a limit that is met then is the machine's, too.

    With `starts`, only what failed before anything of a container ran is tried again.
    """
    try:
        return action()
    except OurFault as error:
        if isinstance(error, NoGpu) or (starts and not error.nothing_ran):
            raise
        time.sleep(pause)
        try:
            return action()
        except LimitReached:
            raise error from None  # the time was lost in the first try


def _own_platform() -> str:
    machine = platforms.machine().lower()
    return f"linux/{ARCHITECTURES.get(machine, machine)}, as of this machine"


def in_one_line(text: str, length: int = WORDS_LENGTH) -> str:
    """Return the text in one line, cut with a sign after so many characters."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"
