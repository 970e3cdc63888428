import type { ReactNode } from "react";

/** Names and values as a table. */
export function KeyTable({ rows }: { readonly rows: readonly (readonly [string, ReactNode])[] }) {
  return (
    <table className="key-table">
      <tbody>
        {rows.map(([name, value]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{value}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
