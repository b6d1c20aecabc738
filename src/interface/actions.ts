/** The polkit actions, one per verb on a noun. packaging/polkit says who may by default; a test holds both together. */
export const ACTIONS = {
  podPrepare: "org.gantry1.pod.prepare",
  podRun: "org.gantry1.pod.run",
  podStart: "org.gantry1.pod.start",
  podStop: "org.gantry1.pod.stop",
  podRestart: "org.gantry1.pod.restart",
  podKill: "org.gantry1.pod.kill",
  podRemove: "org.gantry1.pod.remove",
  podInstall: "org.gantry1.pod.install",
  podRefresh: "org.gantry1.pod.refresh",
  podUninstall: "org.gantry1.pod.uninstall",
  imageFetch: "org.gantry1.image.fetch",
  imageRemove: "org.gantry1.image.remove",
  imageVerify: "org.gantry1.image.verify",
  imageSkipVerification: "org.gantry1.image.skip-verification",
  trustChange: "org.gantry1.trust.change",
  gc: "org.gantry1.gc",
  logChange: "org.gantry1.log.change",
  operationCancel: "org.gantry1.operation.cancel",
} as const;

export type Action = (typeof ACTIONS)[keyof typeof ACTIONS];
