# What jq 1.8 has and jaq has not, or has otherwise.
def IN(s): any(s == .; .);
def IN(src; s): any(src == s; .);
def INDEX(stream; f): [stream | [(f | tostring), .]] | __object;
def INDEX(f): INDEX(.[]; f);
def JOIN($index; key): [.[] | [., $index[key]]];
def JOIN($index; stream; key): stream | [., $index[key]];
def JOIN($index; stream; key; joined): stream | [., $index[key]] | joined;

def abs: if isnumber and . < 0 then - . elif . == null then - . end;
def toarray: if isarray then . else [.] end;
def __flatten($depth): flatten($depth);
def flatten($depth):
  if $depth < 0 then error("flatten depth must not be negative") else __flatten($depth) end;
def reverse: if . == null then [] else __reverse end;
def gamma: lgamma;
def nearbyint: rint;
def have_literal_numbers: true;
def have_decnum: true;
def limit($count; f):
  if $count > 0 then __limit($count; f)
  elif $count == 0 then empty
  else error("limit doesn't support negative count") end;
def skip($count; f):
  if $count >= 0 then __skip($count; f) else error("skip doesn't support negative count") end;
def nth($at; f):
  if $at >= 0 then first(skip($at; f)) else error("nth doesn't support negative indices") end;
def pick(f): . as $all | reduce path(f) as $path (null; setpath($path; $all | getpath($path)));
def combinations: if length == 0 then [] else .[0][] as $head | (.[1:] | combinations) as $tail | [$head] + $tail end;
def combinations($n): . as $all | [range($n) | $all] | combinations;
def leaf_paths: paths(scalars);

def ascii: [.] | implode;
def ltrimstr($left): __trimstr($left; true; false);
def rtrimstr($right): __trimstr($right; false; true);
def trimstr($part): __trimstr($part; true; true);

def @csv: __csv;
def @tsv: __tsv;
def @base32: __base32;
def @base32d: __base32d;
def format($name):
  if $name == "text" then @text elif $name == "json" then @json
  elif $name == "csv" then @csv elif $name == "tsv" then @tsv
  elif $name == "html" then @html elif $name == "uri" then @uri elif $name == "urid" then @urid
  elif $name == "sh" then @sh
  elif $name == "base64" then @base64 elif $name == "base64d" then @base64d
  elif $name == "base32" then @base32 elif $name == "base32d" then @base32d
  else error("\($name) is not a valid format") end;

def test($re; $flags): __test($re; $flags);
def test($re): __test($re; null);
def match($re; $flags): __match($re; $flags)[];
def match($re): __match($re; null)[];
def capture($re; $flags): __capture($re; $flags)[];
def capture($re): __capture($re; null)[];
def scan($re; $flags): __scan($re; $flags)[];
def scan($re): __scan($re; null)[];
def split($re; $flags): __split($re; $flags);
def splits($re; $flags): __split($re; $flags)[];
def splits($re): __split($re; null)[];
def sub($re; f; $flags): . as $text
  | [__pieces($re; $flags)[] | if isobject then [f] end] | __combined($text)[];
def sub($re; f): sub($re; f; null);
def gsub($re; f; $flags): sub($re; f; $flags + "g");
def gsub($re; f): sub($re; f; "g");

def todateiso8601: strftime("%Y-%m-%dT%H:%M:%SZ");
def todate: todateiso8601;
def date: todate;
def dateadd(unit; $seconds): . + $seconds;
def datesub(unit; $seconds): . - $seconds;

def tostream: __stream[];
def truncate_stream(stream):
  . as $depth | null | stream | select((.[0] | length) > $depth) | .[0] |= .[$depth:];
def fromstream(stream):
  foreach stream as $event ({value: null, done: false};
    if .done then {value: null, done: false} end
    | if ($event | length) == 1 then .done = ($event[0] | length == 1)
      elif $event[0] == [] then {value: $event[1], done: true}
      else .value |= setpath($event[0]; $event[1]) end;
    if .done then .value else empty end);
