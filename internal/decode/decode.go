// Package decode reads what users write into Go types. For everything that it cannot
// read, it says where that is and what it should be.
package decode

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
)

// Lenient reads an object into a T, and ignores fields that T does not have.
func Lenient[T any](p *field.Path, object map[string]any) (*T, field.ErrorList) {
	into := new(T)
	if err := unmarshal(object, into); err != nil {
		return nil, explain[T](p, object, func(v any) any { return v })
	}
	return into, nil
}

// Strict reads an object into a T, and refuses fields that T does not have.
func Strict[T any](p *field.Path, object map[string]any) (*T, field.ErrorList) {
	into, errs := Lenient[T](p, object)
	if len(errs) > 0 {
		return nil, errs
	}

	b, err := json.Marshal(object)
	if err != nil {
		return nil, field.ErrorList{field.InternalError(p, err)}
	}
	unknown, err := kjson.UnmarshalStrict(b, into)
	if err != nil {
		return nil, field.ErrorList{field.InternalError(p, err)}
	}
	for _, u := range unknown {
		errs = append(errs, field.Forbidden(p, fmt.Sprintf("%s. Correct its name or remove it. Known fields: %s", u, strings.Join(names[T](), ", "))))
	}
	return into, errs
}

func unmarshal(object, into any) error {
	b, err := json.Marshal(object)
	if err != nil {
		return err
	}
	return kjson.UnmarshalCaseSensitivePreserveInts(b, into)
}

// explain returns the innermost values that cannot be read, with their paths. The
// function within puts a value back into an otherwise empty object.
func explain[T any](p *field.Path, value any, within func(any) any) field.ErrorList {
	err := unmarshal(within(value), new(T))
	if err == nil {
		return nil
	}

	errs := field.ErrorList{}
	switch v := value.(type) {
	case map[string]any:
		if unmarshal(within(map[string]any{}), new(T)) != nil {
			break
		}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			errs = append(errs, explain[T](p.Child(k), v[k], func(leaf any) any { return within(map[string]any{k: leaf}) })...)
		}
	case []any:
		if unmarshal(within([]any{}), new(T)) != nil {
			break
		}
		for i := range v {
			errs = append(errs, explain[T](p.Index(i), v[i], func(leaf any) any { return within([]any{leaf}) })...)
		}
	}
	if len(errs) == 0 {
		errs = append(errs, field.Invalid(p, shown(value), "must be "+wanted(err)))
	}
	return errs
}

// shown keeps an error readable if the value is a whole block, or a whole number that
// protobuf has turned into a float.
func shown(value any) any {
	switch v := value.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case float64:
		if whole := int64(v); float64(whole) == v {
			return whole
		}
	}
	return value
}

// wanted says what a value must be.
func wanted(err error) string {
	typed := &json.UnmarshalTypeError{}
	if !errors.As(err, &typed) {
		return "what the field can hold: " + err.Error()
	}
	switch k := typed.Type.Kind(); k {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int32, reflect.Int64:
		return fmt.Sprintf("a whole number (of %s)", k)
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	default:
		return typed.Type.String()
	}
}

// names returns the fields of a T, except for those that every object has.
func names[T any]() []string {
	ns := []string{}
	for f := range reflect.TypeFor[T]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "metadata" {
			ns = append(ns, name)
		}
	}
	return ns
}
