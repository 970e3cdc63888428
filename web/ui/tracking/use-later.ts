import { useEffect, useState } from "react";

const AFTER_MS = 250;

/** A value a moment after it stopped changing: what is typed is asked once, not per letter. */
export function useLater<Value>(value: Value): Value {
  const [later, setLater] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setLater(value), AFTER_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return later;
}
