package render

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// known are the functions a template may use. A new one, of a newer sprig or of
// ours, has to give the same result each time, and to bound what it makes.
const known = `
abbrev abbrevboth add add1 add1f addf adler32sum all any append atoi
b32dec b32enc b64dec b64enc base biggest
camelcase cat ceil chunk clean coalesce compact concat contains
decryptAES deepCopy deepEqual default derivePassword dict dig dir div divf duration durationRound
empty env ext
fail first float64 floor fromJson
get
has hasKey hasPrefix hasSuffix hello
indent initial initials int int64 isAbs
join
kebabcase keys kindIs kindOf
last list lower
max maxf merge mergeOverwrite min minf mod mul mulf
mustAppend mustChunk mustCompact mustDeepCopy mustFirst mustFromJson mustHas mustInitial mustLast mustMerge mustMergeOverwrite
mustPrepend mustPush mustRegexFind mustRegexFindAll mustRegexMatch mustRegexReplaceAll mustRegexReplaceAllLiteral mustRegexSplit
mustRest mustReverse mustSlice mustToJson mustToPrettyJson mustToRawJson mustUniq mustWithout
nindent nospace
omit osBase osClean osDir osExt osIsAbs
pattern pick pluck plural prepend push
quote
regexFind regexFindAll regexMatch regexQuoteMeta regexReplaceAll regexReplaceAllLiteral regexSplit repeat replace rest reverse round
semver semverCompare seq set sha1sum sha256sum sha512sum slice snakecase sortAlpha split splitList splitn squote sub subf substr swapcase
ternary title toDecimal toJson toPrettyJson toRawJson toString toStrings trim trimAll trimPrefix trimSuffix trimall trunc tuple typeIs typeIsLike typeOf
uniq unixEpoch unset until untilStep untitle upper urlJoin urlParse
value values
without wrap wrapWith
`

func TestFunctionsAreKnown(t *testing.T) {
	got := slices.Sorted(maps.Keys(functions(Data{})))
	want := strings.Fields(known)
	for _, name := range got {
		if !slices.Contains(want, name) {
			t.Errorf("%s is new: does it give the same result each time?", name)
		}
	}
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("%s is gone: templates of operators may use it", name)
		}
	}
}

// TestFunctionsRepeat calls each function again and again with arguments of
// several kinds: chance, time and the order of maps must not show.
func TestFunctionsRepeat(t *testing.T) {
	called := 0
	for name, f := range functions(Data{Env: map[string]any{"PATH": "/bin"}}) {
		if name == "derivePassword" { // repeatable, and made to be slow
			continue
		}
		for _, sample := range samples() {
			first := call(f, sample)
			if _, failed := first.(failure); !failed {
				called++
			}
			for range 20 {
				if again := call(f, sample); !reflect.DeepEqual(first, again) {
					t.Errorf("%s(%v) gives %v, then %v", name, sample, first, again)
					break
				}
			}
		}
	}
	if called < 300 {
		t.Errorf("only %d calls gave a result; they show little", called)
	}
}

// sample is what stands for arguments of the types that functions take.
type sample struct {
	text    string
	number  int
	any     any
	texts   []string
	mapping map[string]any
}

func samples() []sample {
	mapping := map[string]any{}
	for i := range 20 {
		mapping[fmt.Sprintf("k%d", i)] = i
	}
	texts := []string{"b", "a", "c", "a"}
	return []sample{
		{"YWJj", 3, "YWJj", texts, mapping},
		{`{"b":1,"a":{"d":2,"c":3}}`, 0, 7, texts, mapping},
		{"a,b,c", -1, texts, texts, mapping},
		{"1.2.3", 2, mapping, texts, mapping},
		{"http://u:p@example.com/x?b=1&a=2", 1, []any{mapping, "x", 1}, texts, mapping},
	}
}

func (s sample) String() string { return s.text }

type failure string

// call returns a function's result; an error or a panic, which templates turn
// into one, as a failure.
func call(function any, s sample) (result any) {
	defer func() {
		if r := recover(); r != nil {
			result = failure(fmt.Sprint(r))
		}
	}()
	f := reflect.ValueOf(function)
	var args []reflect.Value
	for i := range f.Type().NumIn() {
		args = append(args, s.argument(f.Type(), i)...)
	}
	out := f.Call(args)
	if len(out) == 2 && !out[1].IsNil() {
		return failure(out[1].Interface().(error).Error())
	}
	return out[0].Interface()
}

func (s sample) argument(f reflect.Type, i int) []reflect.Value {
	in, count := f.In(i), 1
	if f.IsVariadic() && i == f.NumIn()-1 {
		in, count = in.Elem(), 2
	}
	var args []reflect.Value
	for range count {
		args = append(args, s.value(in))
	}
	return args
}

// value is a fresh one each time: some functions change what they are given.
func (s sample) value(in reflect.Type) reflect.Value {
	switch in.Kind() {
	case reflect.String:
		return reflect.ValueOf(s.text)
	case reflect.Interface:
		if _, ok := s.any.(map[string]any); ok {
			return reflect.ValueOf(maps.Clone(s.mapping))
		}
		return reflect.ValueOf(s.any)
	case reflect.Map:
		return reflect.ValueOf(maps.Clone(s.mapping))
	case reflect.Slice:
		if in.Elem().Kind() == reflect.Interface {
			return reflect.ValueOf([]any{"b", "a", maps.Clone(s.mapping)})
		}
		return reflect.ValueOf(slices.Clone(s.texts))
	case reflect.Bool:
		return reflect.ValueOf(s.number > 0)
	}
	return reflect.ValueOf(s.number).Convert(in)
}
