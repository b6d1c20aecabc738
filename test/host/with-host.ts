/** A host for the length of one test, whose logs outlive a failure. */
import type { TestContext } from "node:test";
import { bootHost, type HostOptions, type TestHost } from "./host.ts";
import { LOGS } from "./machine.ts";

/**
 * Boots a host, runs `body` with it and disposes of it. If `body` throws, console and journal are kept in
 * build/test-logs/NAME and the test's diagnostics say so.
 */
export async function withHost(
  test: TestContext,
  options: HostOptions,
  body: (host: TestHost) => Promise<void>,
): Promise<void> {
  await using host = await bootHost(options);
  try {
    await body(host);
  } catch (error) {
    await host.saveLogs(`${LOGS}/${host.name}`);
    test.diagnostic(`console and journal: build/test-logs/${host.name}`);
    throw error;
  }
}
