import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./ui/mantine.ts";
import "./ui/style.css";
import { clientAddress } from "./routes/client-address.ts";
import { createAppRouter } from "./routes/router.tsx";
import { ProblemError } from "./services/api.ts";
import { LanguageProvider, loadFirstCatalogue } from "./ui/language.tsx";
import { theme } from "./ui/theme.ts";

const client = new QueryClient({
  defaultOptions: {
    queries: {
      // The event stream says what changed; this is for the time when there is none.
      staleTime: 15_000,
      refetchOnWindowFocus: true,
      retry: (count, error) =>
        count < 2 && error instanceof ProblemError && (error.status === 0 || error.status >= 500),
    },
  },
});
const known = clientAddress(location.hash);
if (known !== undefined) history.replaceState(null, "", known);
const router = createAppRouter();
const catalogue = await loadFirstCatalogue();
const place = document.getElementById("root");
if (place === null) throw new Error("index.html has no #root");

createRoot(place).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <LanguageProvider first={catalogue}>
        <MantineProvider theme={theme} defaultColorScheme="auto">
          <Notifications position="bottom-right" />
          <RouterProvider router={router} />
        </MantineProvider>
      </LanguageProvider>
    </QueryClientProvider>
  </StrictMode>,
);
