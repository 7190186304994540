"""Which request is what, and what may be asked twice."""

import pytest

from plexguard.proxy.config import Paths
from plexguard.proxy.kinds import find_kind, may_repeat, pattern_of


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "metadata"),
        ("/library/sections/1/all", "metadata"),
        ("/library/metadata/1", "metadata"),
        ("/library/metadata/1/thumb/1700000000", "picture"),
        ("/library/metadata/1/thumb", "picture"),
        ("/library/sections/2/composite/1700000000", "picture"),
        ("/library/metadata/1/art/17", "picture"),
        ("/library/metadata/1/thumb/17/../../../parts", "metadata"),
        ("/photo/:/transcode", "picture"),
        ("/:/resources/movie.png", "picture"),
        ("/library/parts/1/17/file.mkv", "media"),
        ("/library/streams/12", "media"),
        ("/library/metadata/1/theme/17", "media"),
        ("/video/:/transcode/universal/start.m3u8", "transcode"),
        ("/music/:/transcode/universal/session/x/0/1.ts", "transcode"),
        ("/:/websockets/notifications", "stream"),
        ("/:/websocket/notifications", "stream"),
        ("/:/eventsource/notifications", "stream"),
        ("/:/timeline", "metadata"),
    ],
)
def test_kind_is_known_by_the_path(path, kind):
    assert find_kind(path, {}).name == kind


def test_configured_path_wins():
    tables = {"a": Paths(kind="transcode", paths=("/library/parts/*/live",))}
    assert find_kind("/library/parts/7/live", tables).name == "transcode"
    assert find_kind("/library/parts/7/live2", tables).name == "media"


def test_star_is_all_that_means_something_in_a_path():
    assert pattern_of("/a.b/*") == "^/a\\.b/.*$"


@pytest.mark.parametrize("path", ["/", "/identity", "/hubs/home", "/library/sections/1/all", "/library/parts/1/2/My%20Film.mkv"])
def test_what_reads_may_be_repeated(path):
    assert may_repeat("GET", path) and may_repeat("HEAD", path)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "get"])
def test_no_other_method_is_repeated(method):
    assert not may_repeat(method, "/library/sections")


@pytest.mark.parametrize(
    "path",
    [
        "/:/timeline",
        "/:/scrobble",
        "/:/unscrobble",
        "/:/progress",
        "/:/rate",
        "/library/sections/1/refresh",
        "/library/sections/1/emptyTrash",
        "/library/metadata/1/analyze",
        "/status/sessions/terminate",
        "/video/:/transcode/universal/start.m3u8",
        "/video/:/transcode/universal/decision",
        "/video/:/transcode/universal/stop",
        "/butler/BackupDatabase",
        "/playQueues",
        "/player/playback/playMedia",
        "/library/../:/scrobble",
        "/library/%2e%2e/:/scrobble",
        "/unknown",
        # Servers differ in what they take these for.
        "/library/sections/1/%72efresh",
        "/library/sections/1/Refresh",
        "/library/sections/1/refresh;a=b",
        "/library/sections/1/refresh//",
        "/library/sections/1/refresh/./.",
        "/library//sections//1//refresh",
    ],
)
def test_what_may_do_something_is_not_repeated(path):
    assert not may_repeat("GET", path)


# Plex's HTTP API, every address of which more is known than its name: method, path, kind, and whether it may be repeated.
API = """
GET    /identity                                             metadata   yes
GET    /                                                     metadata   yes
GET    /accounts                                             metadata   no
GET    /devices                                              metadata   yes
GET    /myplex/account                                       metadata   no
GET    /media/providers                                      metadata   yes
GET    /statistics/resources                                 metadata   no
GET    /status/sessions                                      metadata   yes
GET    /status/sessions/background                           metadata   yes
GET    /status/sessions/history/all                          metadata   yes
POST   /status/sessions/terminate                            metadata   no
GET    /status/sessions/terminate                            metadata   no
GET    /transcode/sessions                                   metadata   no
DELETE /transcode/sessions/abc                               metadata   no
GET    /activities                                           metadata   no
PUT    /activities/abc                                       metadata   no
DELETE /activities/abc                                       metadata   no
GET    /butler                                               metadata   no
POST   /butler/DeepMediaAnalysis                             metadata   no
GET    /butler/DeepMediaAnalysis                             metadata   no
GET    /:/prefs                                              metadata   no
GET    /:/prefs/get                                          metadata   no
PUT    /:/prefs                                              metadata   no
GET    /library/sections                                     metadata   yes
GET    /library/sections/all                                 metadata   yes
POST   /library/sections                                     metadata   no
DELETE /library/sections/1                                   metadata   no
GET    /library/sections/1/prefs                             metadata   yes
PUT    /library/sections/1/prefs                             metadata   no
GET    /library/sections/1/refresh                           metadata   no
POST   /library/sections/1/refresh                           metadata   no
GET    /library/sections/all/refresh                         metadata   no
POST   /library/sections/refresh                             metadata   no
PUT    /library/sections/1/analyze                           metadata   no
GET    /library/sections/1/analyze                           metadata   no
PUT    /library/sections/1/emptyTrash                        metadata   no
GET    /library/sections/1/emptyTrash                        metadata   no
PUT    /library/optimize                                     metadata   no
GET    /library/optimize                                     metadata   no
PUT    /library/clean/bundles                                metadata   no
GET    /library/clean/bundles                                metadata   no
DELETE /library/sections/1/indexes                           metadata   no
GET    /library/sections/1/all                               metadata   yes
GET    /library/metadata/1                                   metadata   yes
GET    /library/metadata/1/children                          metadata   yes
PUT    /library/metadata/1/refresh                           metadata   no
GET    /library/metadata/1/refresh                           metadata   no
DELETE /library/metadata/1                                   metadata   no
GET    /hubs                                                 metadata   yes
GET    /hubs/search                                          metadata   yes
GET    /search                                               metadata   yes
GET    /playlists                                            metadata   yes
GET    /playlists/1/items                                    metadata   yes
PUT    /playlists/1/items                                    metadata   no
POST   /playQueues                                           metadata   no
GET    /playQueues/1                                         metadata   no
GET    /updater/status                                       metadata   no
PUT    /updater/check                                        metadata   no
GET    /updater/apply                                        metadata   no
GET    /security/token                                       metadata   no
GET    /security/resources                                   metadata   no
GET    /log                                                  metadata   no
GET    /media/subscriptions                                  metadata   no
POST   /media/subscriptions/process                          metadata   no
GET    /media/subscriptions/process                          metadata   no
GET    /player/timeline/poll                                 metadata   no
GET    /library/parts/1/1700000000/file.mkv                  media      yes
HEAD   /library/parts/1/1700000000/file.mkv                  media      yes
PUT    /library/parts/1                                      media      no
GET    /library/parts/1/indexes/sd/1000                      media      yes
GET    /library/streams/1                                    media      yes
GET    /library/metadata/1/theme/1700000000                  media      yes
GET    /downloadQueue/1/item/2/media                         media      no
GET    /sync/items/1                                         media      no
GET    /library/metadata/1/thumb/1700000000                  picture    yes
GET    /library/metadata/1/art/1700000000                    picture    yes
GET    /library/media/1/chapterImages/3                      picture    yes
GET    /library/collections/1/composite/1700000000           picture    yes
GET    /playlists/1/composite/1700000000                     picture    yes
GET    /photo/:/transcode                                    picture    yes
GET    /video/:/transcode/universal/decision                 transcode  no
GET    /video/:/transcode/universal/start.m3u8               transcode  no
GET    /video/:/transcode/universal/start.mpd                transcode  no
GET    /video/:/transcode/universal/start.mkv                transcode  no
GET    /video/:/transcode/universal/session/s/base/index.m3u8  transcode  yes
GET    /video/:/transcode/universal/session/s/base/00001.ts  transcode  yes
GET    /video/:/transcode/universal/ping                     transcode  no
GET    /video/:/transcode/universal/stop                     transcode  no
GET    /video/:/transcode/universal/subtitles                transcode  no
PUT    /video/:/transcode/session/s/u/progress               transcode  no
POST   /video/:/transcode/session/s/u/progress/log           transcode  no
GET    /music/:/transcode/universal/start.mp3                transcode  no
GET    /audio/:/transcode/universal/decision                 transcode  no
GET    /subtitles/:/transcode/universal/start.srt            transcode  no
POST   /livetv/dvrs/1/channels/2/tune                        transcode  no
GET    /livetv/sessions/s/u/index.m3u8                       transcode  no
GET    /:/timeline                                           metadata   no
POST   /:/timeline                                           metadata   no
GET    /:/scrobble                                           metadata   no
GET    /:/unscrobble                                         metadata   no
GET    /:/progress                                           metadata   no
GET    /:/rate                                               metadata   no
GET    /:/websockets/notifications                           stream     no
GET    /:/websocket/notifications                            stream     no
GET    /:/eventsource/notifications                          stream     no
"""


@pytest.mark.parametrize("line", API.strip().splitlines(), ids=lambda line: "-".join(line.split()[:2]))
def test_whole_api_is_treated_as_it_bears(line):
    method, path, kind, repeats = line.split()
    assert (find_kind(path, {}).name, may_repeat(method, path)) == (kind, repeats == "yes")


@pytest.mark.parametrize("path", ["/library/parts/1/2/Am%C3%A9lie%20%5B1080p%5D%20%26%20more%40x.mkv", "/hubs/home/recentlyAdded"])
def test_name_that_has_to_be_encoded_is_no_disguise(path):
    assert may_repeat("GET", path)
