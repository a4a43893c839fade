# Bounded stand-ins that jaq's own definitions use too; those definitions are not known here yet.
def tojson: __tojson;
def fromjson: __fromjson;
def tostring: __text;
def @text: __text;
def @json: __tojson;
def @sh: __sh;
def join($s): __join($s);
def length: __length;
def has($key): __has($key);
def contains($part): __contains($part);
def indices($part): __indices($part);
def bsearch($value): __bsearch($value);
def add: __add;
def add(f): [f] | __add;
def from_entries: __from_entries;
def delpaths($paths): __delpaths($paths);
def del(f): [path(f)] as $paths | __delpaths($paths);
# Kept under names of our own, to be called by definitions of the same names.
def __limit($count; f): limit($count; f);
def __skip($count; f): skip($count; f);
def __range($from; $to; $by): range($from; $to; $by);
def range($from; $to; $by): if $by == 0 then {}[] else __range($from; $to; $by) end;
def __reverse: reverse;
# Each round pays, for it may run all of the expression.
def until(cond; update): def rec: if cond then . else update | __tick | rec end; rec;
# A date format is short.
def __strftime($format): strftime($format);
def strftime($format): __strftime($format | __format);
def __strptime($format): strptime($format);
def strptime($format): __strptime($format | __format);
def nan: __nan;
def infinite: __infinite;
def keys_unsorted: __keys;
def tonumber: __tonumber;
def @base64d: __base64d;
