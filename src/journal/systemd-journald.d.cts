/** The part of systemd-journald 1.5 that Gantry uses; the package has no types. */
declare module "systemd-journald" {
  type Send = (message: string, fields?: Record<string, string>) => void;
  const Journald: Readonly<
    Record<"emerg" | "alert" | "crit" | "err" | "warning" | "notice" | "info" | "debug", Send>
  >;
  export = Journald;
}
