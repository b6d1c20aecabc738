/** How long a collection leaves things alone unless somebody says otherwise, in milliseconds. */

/** Pods that have ended. */
export const POD_GRACE = 30 * 60_000;
/** Prepared pods that nobody has started. */
export const PREPARED_GRACE = 24 * 3_600_000;
/** Images that nobody uses. */
export const IMAGE_GRACE = 24 * 3_600_000;
