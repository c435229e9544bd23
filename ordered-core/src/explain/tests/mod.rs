mod causal;
mod held_up;
mod lamport;
mod moving;
mod orders;
mod scene;
mod words;
