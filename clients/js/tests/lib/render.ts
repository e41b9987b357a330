/**
 * Draws components, and reads what they say.
 */
import { act, type ReactNode } from "react";
import { create as draw, type ReactTestRenderer } from "react-test-renderer";

export interface View {
  text(): string;
  draw(node: ReactNode): Promise<void>;
  unmount(): Promise<void>;
}

export async function create(node: ReactNode): Promise<View> {
  let view!: ReactTestRenderer;
  await act(async () => {
    view = draw(node as Parameters<typeof draw>[0]);
  });
  return {
    text: () => [view.toJSON()].flat().join(""),
    draw: (next) => act(async () => view.update(next as Parameters<typeof draw>[0])),
    unmount: () => act(async () => view.unmount()),
  };
}
